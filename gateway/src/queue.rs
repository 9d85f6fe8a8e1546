//! Records that wait, in order within a partition key; and which of them may go now.
//!
//! A key is *ready* when its oldest record may be sent, *asleep* while its shard or its own backoff
//! holds it back, and *in flight* while a request carries records of it: then nothing of it may go,
//! for whatever went now could arrive first. Ready keys go in the order of their oldest records.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::time::Instant;

use bytes::Bytes;
use slab::Slab;

use crate::config::Order;
use crate::record::{PartitionKey, RecordSlot};

#[cfg(test)]
pub(crate) mod tests;

/// A record that is to be sent.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// Its name.
    pub slot: RecordSlot,
    /// Its partition key.
    pub key: PartitionKey,
    /// The bytes to send.
    pub data: Bytes,
    /// When its publish arrived, in milliseconds since 1970-01-01 UTC.
    pub rx_ts_ms: i64,
    /// Since when it waits to be sent.
    pub since: Instant,
}

/// A record that waits for its turn.
#[derive(Debug, Clone)]
pub struct Queued {
    /// The bytes to send.
    pub data: Bytes,
    /// When its publish arrived, in milliseconds since 1970-01-01 UTC.
    pub rx_ts_ms: i64,
    /// Its name.
    pub slot: RecordSlot,
    /// Since when it waits to be sent.
    pub since: Instant,
    /// How often it was sent already.
    pub attempts: u32,
    /// Whether an attempt was never answered: it may be in the stream.
    pub unheard: bool,
}

/// Names a key while it has records that wait or are in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeySlot(usize);

/// A record that was taken to be sent.
#[derive(Debug, Clone)]
pub struct Taken {
    /// Its partition key.
    pub key: PartitionKey,
    /// Its place in the queue: tells where to give it back.
    pub slot: KeySlot,
    /// When it was taken.
    pub at: Instant,
    /// The record.
    pub record: Queued,
}

impl Taken {
    /// Its size as Kinesis counts it: data and partition key, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.record.data.len() + self.key.as_str().len()
    }
}

/// Leave to send now, or when to ask again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// Send it.
    Granted,
    /// Not before this instant.
    RetryAt(Instant),
}

/// Who is asked before a record is taken. Which shard a key belongs to is asked anew each time.
pub trait Gate {
    /// Asks leave to send one record of `bytes` to the shard of `key`.
    fn draw(&mut self, key: &PartitionKey, bytes: usize, now: Instant) -> Admission;

    /// How many records of `key` a request may carry. At least 1.
    fn records_per_key(&self, key: &PartitionKey, now: Instant) -> usize;
}

/// What is left of a request that is being filled.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// How many records fit.
    pub records: usize,
    /// How many bytes fit, data and partition keys.
    pub bytes: usize,
}

/// All that waits.
#[derive(Debug)]
pub struct Queues {
    order: Order,
    index: HashMap<PartitionKey, usize>,
    keys: Slab<KeyQueue>,
    ready: BinaryHeap<Reverse<(Instant, usize)>>,
    asleep: BinaryHeap<Reverse<(Instant, usize)>>,
    waiting: Room,
    ready_now: Room,
}

#[derive(Debug)]
struct KeyQueue {
    key: PartitionKey,
    records: VecDeque<Queued>,
    bytes: usize,
    requests: u32,
    list: List,
}

/// Which list a key stands in. Never in two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    Neither,
    Ready,
    Asleep,
}

impl Queues {
    /// No records. `order` says which gates hold.
    #[must_use]
    pub fn new(order: Order) -> Self {
        let nothing = Room { records: 0, bytes: 0 };
        Self {
            order,
            index: HashMap::new(),
            keys: Slab::new(),
            ready: BinaryHeap::new(),
            asleep: BinaryHeap::new(),
            waiting: nothing,
            ready_now: nothing,
        }
    }

    /// Appends a record to its key.
    pub fn push(&mut self, incoming: Incoming) {
        let Incoming { slot: record_slot, key, data, rx_ts_ms, since } = incoming;
        let keys = &mut self.keys;
        let slot = *self.index.entry(key).or_insert_with_key(|key| {
            keys.insert(KeyQueue {
                key: key.clone(),
                records: VecDeque::new(),
                bytes: 0,
                requests: 0,
                list: List::Neither,
            })
        });
        let Some(queue) = self.keys.get_mut(slot) else { return };
        let bytes = data.len() + queue.key.as_str().len();
        let record =
            Queued { data, rx_ts_ms, slot: record_slot, since, attempts: 0, unheard: false };
        queue.records.push_back(record);
        queue.bytes += bytes;
        self.waiting.add(1, bytes);
        match queue.list {
            List::Ready => self.ready_now.add(1, bytes),
            List::Asleep => {}
            List::Neither => self.enlist(slot),
        }
    }

    /// Puts a key that stands in no list among the ready ones, if it may go; forgets it when
    /// nothing of it waits or is in flight.
    fn enlist(&mut self, slot: usize) {
        let Some(queue) = self.keys.get_mut(slot) else { return };
        let gated = queue.requests > 0 && self.order != Order::None;
        if gated || queue.list != List::Neither {
            return;
        }
        let Some(oldest) = queue.records.front() else {
            if queue.requests == 0 {
                self.index.remove(&queue.key);
                self.keys.remove(slot);
            }
            return;
        };
        queue.list = List::Ready;
        self.ready.push(Reverse((oldest.since, slot)));
        self.ready_now.add(queue.records.len(), queue.bytes);
    }

    /// Wakes every key whose time has come.
    pub fn wake(&mut self, now: Instant) {
        while let Some(Reverse((at, slot))) = self.asleep.peek().copied() {
            if at > now {
                break;
            }
            self.asleep.pop();
            if let Some(queue) = self.keys.get_mut(slot) {
                queue.list = List::Neither;
            }
            self.enlist(slot);
        }
    }

    /// Takes what may go now into `room`, oldest keys first, asking `gate` for each record. A key
    /// that `gate` holds back sleeps; the records of one key come out together and in order.
    pub fn take(&mut self, room: Room, gate: &mut impl Gate, now: Instant) -> Vec<Taken> {
        let taken = Vec::with_capacity(room.records.min(self.ready_now.records));
        let mut request = Request { room, taken, gate, now };
        while let Some(Reverse((_, slot))) = self.ready.peek().copied() {
            let before = request.taken.len();
            let hold = self.take_key(slot, &mut request);
            let some = request.taken.len() > before;
            if matches!(hold, Hold::Full) && !some {
                break;
            }
            self.ready.pop();
            let Some(queue) = self.keys.get_mut(slot) else { continue };
            self.ready_now.sub(queue.records.len(), queue.bytes);
            queue.list = List::Neither;
            queue.requests += u32::from(some);
            if let Hold::Until(at) = hold
                && !queue.records.is_empty()
                && (queue.requests == 0 || self.order == Order::None)
            {
                queue.list = List::Asleep;
                self.asleep.push(Reverse((at, slot)));
            }
            self.enlist(slot);
            if matches!(hold, Hold::Full) {
                break;
            }
        }
        request.taken
    }

    fn take_key(&mut self, slot: usize, request: &mut Request<'_, impl Gate>) -> Hold {
        let Some(queue) = self.keys.get_mut(slot) else { return Hold::Nothing };
        let key_bytes = queue.key.as_str().len();
        for _ in 0..request.gate.records_per_key(&queue.key, request.now) {
            let Some(next) = queue.records.front() else { break };
            let bytes = next.data.len() + key_bytes;
            if request.room.records == 0 || request.room.bytes < bytes {
                return Hold::Full;
            }
            let admission = request.gate.draw(&queue.key, bytes, request.now);
            if let Admission::RetryAt(at) = admission {
                return Hold::Until(at);
            }
            let Some(record) = queue.records.pop_front() else { break };
            request.room.sub(1, bytes);
            queue.bytes -= bytes;
            self.waiting.sub(1, bytes);
            self.ready_now.sub(1, bytes);
            request.taken.push(Taken {
                key: queue.key.clone(),
                slot: KeySlot(slot),
                at: request.now,
                record,
            });
        }
        Hold::Nothing
    }

    /// Ends a request for one key: `refused` are the records of it to send again, in order; the key
    /// sleeps until `not_before` if any are.
    pub fn answered(
        &mut self,
        slot: KeySlot,
        refused: impl DoubleEndedIterator<Item = Queued>,
        not_before: Instant,
    ) {
        let KeySlot(slot) = slot;
        let Some(queue) = self.keys.get_mut(slot) else { return };
        queue.requests = queue.requests.saturating_sub(1);
        let (records, bytes) = (queue.records.len(), queue.bytes);
        for record in refused.rev() {
            queue.bytes += record.data.len() + queue.key.as_str().len();
            queue.records.push_front(record);
        }
        let added = (queue.records.len() - records, queue.bytes - bytes);
        self.waiting.add(added.0, added.1);
        if queue.list == List::Ready {
            self.ready_now.add(added.0, added.1);
        }
        if added.0 > 0 && queue.list == List::Neither {
            queue.list = List::Asleep;
            self.asleep.push(Reverse((not_before, slot)));
        }
        self.enlist(slot);
    }

    /// Drops every waiting record that waits since before `oldest`, and names them.
    pub fn expire(&mut self, oldest: Instant) -> Vec<RecordSlot> {
        let mut expired = Vec::new();
        for (_, queue) in &mut self.keys {
            let key_bytes = queue.key.as_str().len();
            while let Some(record) = queue.records.pop_front_if(|record| record.since < oldest) {
                let bytes = record.data.len() + key_bytes;
                queue.bytes -= bytes;
                self.waiting.sub(1, bytes);
                if queue.list == List::Ready {
                    self.ready_now.sub(1, bytes);
                }
                expired.push(record.slot);
            }
        }
        expired
    }

    /// Since when the longest waiting ready key waits.
    #[must_use]
    pub fn oldest_ready(&self) -> Option<Instant> {
        self.ready.peek().map(|Reverse((since, _))| *since)
    }

    /// When the next sleeping key wakes.
    #[must_use]
    pub fn next_wake(&self) -> Option<Instant> {
        self.asleep.peek().map(|Reverse((at, _))| *at)
    }

    /// Whether what is ready fills a request of this size.
    #[must_use]
    pub fn fills(&self, room: Room) -> bool {
        self.ready_now.records >= room.records || self.ready_now.bytes >= room.bytes
    }

    /// How many records wait, those in flight not counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.records
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.records == 0
    }
}

/// A request that is being filled.
struct Request<'a, G> {
    room: Room,
    taken: Vec<Taken>,
    gate: &'a mut G,
    now: Instant,
}

/// Why no more of a key was taken.
enum Hold {
    /// Its records or its share of the request are used up.
    Nothing,
    /// The request is full.
    Full,
    /// The gate said when to ask again.
    Until(Instant),
}

impl Room {
    fn add(&mut self, records: usize, bytes: usize) {
        self.records += records;
        self.bytes += bytes;
    }

    fn sub(&mut self, records: usize, bytes: usize) {
        self.records -= records;
        self.bytes -= bytes;
    }
}
