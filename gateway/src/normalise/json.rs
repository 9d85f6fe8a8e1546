//! The decoder for JSON of any shape: what is pointed at goes where it is wanted, the rest as
//! [`Unmapped`] says.
//!
//! Nothing is lost on the way but `null`, empty objects and what [`Unmapped::Drop`] drops:
//! - What is pointed at and cannot be used (a time that cannot be, text where a rule wants a
//!   number, a second value of the same key) is kept under `x`, by the snake_case name of its way.
//! - Values whose names meet, repeated keys among them, are all kept: the first has the name, the
//!   next `name_2`, and `q` says `name_repeated`. Inside what `x` keeps whole, keys repeat as they
//!   came.
//! - An array, or an object inside 16 others, is kept whole under `x`, also if a pointer leads into
//!   it.
//! - Numbers keep their digits. One that no double can hold would make consumers refuse the whole
//!   record, so it (or the array around it) is kept under `x` as text, and `q` says
//!   `number_as_text`.

use std::borrow::Cow;

use crate::config::{Records, Unmapped};
use crate::topic::TopicFilter;

use super::Fault;
use super::body::Body;
use super::canonical::fits;
use super::flag::Flag;
use super::leaf::{Leaf, Place, check_value, each_part, unquoted};
use super::name;
use super::pointer::{Node, Role};
use super::reading::Reading;
use super::reject::{Reason, Reject};
use super::rule::{Rule, Slot};
use super::time;

/// What a payload that is a bare number, string or boolean is named.
const BARE_NAME: &str = "value";

/// Objects inside more objects than this are kept whole, like arrays. Each level reads the text
/// below it once more, and no sensor should make us read a megabyte sixty times.
const FLAT_DEPTH_MAX: usize = 16;

/// The compiled rules, for every topic.
#[derive(Debug)]
pub(super) struct Json {
    unmapped: Unmapped,
    needs_device: bool,
    /// Device and tenant alone.
    names: Node,
    mapped: Vec<(TopicFilter, Node)>,
    otherwise: Node,
}

/// The rules for one topic.
#[derive(Debug)]
pub(super) struct Plan<'p> {
    unmapped: Unmapped,
    needs_device: bool,
    root: &'p Node,
}

impl Json {
    pub(super) fn new(records: &Records) -> Result<Self, Fault> {
        let mut names = Node::root();
        if let Some(pointer) = &records.device_pointer {
            names.want(pointer, Role::Device)?;
        }
        if let Some(pointer) = &records.tenant_pointer {
            names.want(pointer, Role::Tenant)?;
        }
        let mut otherwise = names.clone();
        for (rank, pointer) in records.time_pointers.iter().enumerate() {
            otherwise.want(pointer, Role::Time(rank))?;
        }
        if let Some(pointer) = &records.sequence_pointer {
            otherwise.want(pointer, Role::Sequence)?;
        }
        let mut mapped = Vec::with_capacity(records.mappings.len());
        for mapping in &records.mappings {
            let mut root = otherwise.clone();
            for field in &mapping.fields {
                root.want(&field.pointer, Role::Measure(Rule::new(field)))?;
            }
            mapped.push((TopicFilter::new(&mapping.filter)?, root));
        }
        let needs_device = records.device_pointer.is_some();
        Ok(Self { unmapped: records.unmapped, needs_device, names, mapped, otherwise })
    }

    /// The rules for `topic`: those of the first mapping whose filter matches.
    pub(super) fn plan(&self, topic: &str) -> Plan<'_> {
        let mapped = self.mapped.iter().find(|(filter, _)| filter.matches(topic));
        let root = mapped.map_or(&self.otherwise, |(_, root)| root);
        Plan { unmapped: self.unmapped, needs_device: self.needs_device, root }
    }

    /// Looks for device and tenant, and for nothing else.
    pub(super) fn names(&self) -> Plan<'_> {
        Plan { unmapped: Unmapped::Drop, needs_device: self.needs_device, root: &self.names }
    }
}

impl Plan<'_> {
    /// Reads one JSON value that arrived at `rx_ts_ms`.
    pub(super) fn read<'a>(&self, json: &'a str, rx_ts_ms: i64) -> Result<Reading<'a>, Reject> {
        let mut walk = Walk::new(json.len(), rx_ts_ms);
        walk.document(self, json)?;
        let reading = walk.finish();
        if self.needs_device && reading.device.is_none() {
            return Err(Reject::new(Reason::NoDevice, "nothing at the device pointer"));
        }
        Ok(reading)
    }
}

/// One way through a document: `'a` is its text, `'p` the rules.
struct Walk<'a, 'p> {
    rx_ts_ms: i64,
    /// The snake_case name of where we are.
    path: String,
    /// How many objects are around it.
    depth: usize,
    reading: Reading<'a>,
    time: Option<Candidate<'a, 'p>>,
    /// What was pointed at and could not be used. It goes under `x`, so that nothing is lost.
    unused: Vec<(&'p str, &'a str)>,
}

/// The best time so far.
#[derive(Clone, Copy)]
struct Candidate<'a, 'p> {
    rank: usize,
    time_ms: i64,
    name: &'p str,
    json: &'a str,
}

impl<'a, 'p> Walk<'a, 'p> {
    fn new(bytes: usize, rx_ts_ms: i64) -> Self {
        let reading = Reading { body: Body::new(bytes), ..Reading::default() };
        Self { rx_ts_ms, path: String::new(), depth: 0, reading, time: None, unused: Vec::new() }
    }

    fn document(&mut self, plan: &Plan<'p>, json: &'a str) -> Result<(), Reject> {
        let root = plan.root;
        let is_object = matches!(Leaf::of(json), Leaf::Object(_));
        if !is_object || !root.roles.is_empty() {
            // Nothing else would read all of it.
            check_value(json)?;
        }
        match plan.unmapped {
            Unmapped::Drop => self.seek(root, json),
            Unmapped::Measure => self.measure(Some(root), json),
            Unmapped::Keep if is_object && root.roles.is_empty() => self.keep_members(root, json),
            Unmapped::Keep => self.keep(Some(root), BARE_NAME, json),
        }
    }

    /// Takes what is pointed at in `json`, and nothing else.
    fn seek(&mut self, node: &'p Node, json: &'a str) -> Result<(), Reject> {
        if !node.roles.is_empty() {
            return self.claim(node, json);
        }
        match Leaf::of(json) {
            Leaf::Object(_) | Leaf::Array(_) => each_part(json, |place, value| {
                below(node, place).map_or(Ok(()), |node| self.seek(node, value))
            }),
            Leaf::Null | Leaf::Boolean(_) | Leaf::Number(_) | Leaf::Text(_) => Ok(()),
        }
    }

    /// Takes what is pointed at in `json`, and makes measurements of the rest.
    fn measure(&mut self, node: Option<&'p Node>, json: &'a str) -> Result<(), Reject> {
        if let Some(node) = node
            && !node.roles.is_empty()
        {
            return self.claim(node, json);
        }
        let leaf = Leaf::of(json);
        if matches!(leaf, Leaf::Object(_)) && self.depth < FLAT_DEPTH_MAX {
            return self.measure_members(node, json);
        }
        let name = if self.path.is_empty() { BARE_NAME } else { &self.path };
        if let Some(slot) = Slot::of(leaf) {
            self.reading.body.measure(name, &slot, None);
        } else if leaf != Leaf::Null {
            self.reading.body.keep(name, json);
            self.seek_below(node, json)?;
        }
        fits(self.reading.body.bytes())
    }

    fn measure_members(&mut self, node: Option<&'p Node>, object: &'a str) -> Result<(), Reject> {
        self.depth += 1;
        each_part(object, |place, value| {
            let Place::Key(key) = place else { return Ok(()) };
            let above = self.path.len();
            name::push(&mut self.path, key);
            self.measure(node.and_then(|node| node.member(key)), value)?;
            self.path.truncate(above);
            Ok(())
        })?;
        self.depth -= 1;
        Ok(())
    }

    /// Takes what is pointed at in `json`, and keeps the rest in `x` as it came.
    fn keep(&mut self, node: Option<&'p Node>, key: &str, json: &'a str) -> Result<(), Reject> {
        match (node, Leaf::of(json)) {
            (_, Leaf::Null) => {}
            (Some(node), _) if !node.roles.is_empty() => self.claim(node, json)?,
            (Some(node), Leaf::Object(_)) => {
                self.reading.body.open(key);
                self.keep_members(node, json)?;
                self.reading.body.close();
            }
            (node, _) => {
                self.reading.body.keep(key, json);
                self.seek_below(node, json)?;
            }
        }
        fits(self.reading.body.bytes())
    }

    fn keep_members(&mut self, node: &'p Node, object: &'a str) -> Result<(), Reject> {
        each_part(object, |place, value| match place {
            Place::Key(key) => self.keep(node.member(key), key, value),
            Place::Index(_) => Ok(()),
        })
    }

    /// Takes what is pointed at inside a value that is kept whole.
    fn seek_below(&mut self, node: Option<&'p Node>, json: &'a str) -> Result<(), Reject> {
        match node {
            Some(node) if node.has_children() => self.seek(node, json),
            _ => Ok(()),
        }
    }

    /// Uses a value for what it is wanted for, or keeps it as unused.
    fn claim(&mut self, node: &'p Node, json: &'a str) -> Result<(), Reject> {
        let leaf = Leaf::of(json);
        if leaf == Leaf::Null {
            return Ok(());
        }
        let mut is_used = true;
        for role in &node.roles {
            is_used &= match role {
                Role::Device => name_once(&mut self.reading.device, leaf, Reason::BadDevice)?,
                Role::Tenant => name_once(&mut self.reading.tenant, leaf, Reason::BadTenant)?,
                Role::Time(rank) => self.claim_time(*rank, node, json),
                Role::Sequence => self.claim_sequence(leaf),
                Role::Measure(rule) => self.claim_measurement(rule, leaf),
            };
        }
        if !is_used {
            self.unused.push((&node.name, json));
        }
        fits(self.reading.body.bytes())
    }

    /// The pointer that stands first wins, wherever in the payload its value stands.
    fn claim_time(&mut self, rank: usize, node: &'p Node, json: &'a str) -> bool {
        let Some(time_ms) = time::read(Leaf::of(json), self.rx_ts_ms) else {
            self.reading.body.raise(Flag::TsRejected);
            return false;
        };
        match self.time {
            Some(best) if best.rank <= rank => false,
            worse => {
                self.unused.extend(worse.map(|worse| (worse.name, worse.json)));
                self.time = Some(Candidate { rank, time_ms, name: &node.name, json });
                true
            }
        }
    }

    fn claim_sequence(&mut self, leaf: Leaf<'_>) -> bool {
        let sequence = match leaf {
            Leaf::Number(digits) => digits.parse().ok(),
            Leaf::Text(text) => unquoted(text).and_then(|digits| digits.parse().ok()),
            Leaf::Null | Leaf::Boolean(_) | Leaf::Array(_) | Leaf::Object(_) => None,
        };
        if sequence.is_none() {
            self.reading.body.raise(Flag::SeqRejected);
        }
        let is_used = sequence.is_some() && self.reading.sequence.is_none();
        self.reading.sequence = self.reading.sequence.or(sequence);
        is_used
    }

    fn claim_measurement(&mut self, rule: &Rule, leaf: Leaf<'_>) -> bool {
        match rule.slot(leaf) {
            Some(slot) => {
                self.reading.body.measure(&rule.name, &slot, Some(rule));
                true
            }
            None => {
                self.reading.body.raise(Flag::TypeMismatch);
                false
            }
        }
    }

    fn finish(mut self) -> Reading<'a> {
        for (name, json) in self.unused {
            let name = if name.is_empty() { BARE_NAME } else { name };
            self.reading.body.keep(name, json);
        }
        self.reading.time_ms = self.time.map(|time| time.time_ms);
        self.reading
    }
}

/// The place below `node`, if something there is wanted.
fn below<'p>(node: &'p Node, place: Place<'_>) -> Option<&'p Node> {
    match place {
        Place::Key(key) => node.member(key),
        Place::Index(index) => node.element(index),
    }
}

/// Takes a device or tenant, the first of several. Numbers are names too, in the digits they came
/// with.
fn name_once<'a>(
    place: &mut Option<Cow<'a, str>>,
    leaf: Leaf<'a>,
    reason: Reason,
) -> Result<bool, Reject> {
    if place.is_some() {
        return Ok(false);
    }
    *place = match leaf {
        Leaf::Text(text) => unquoted(text),
        Leaf::Number(digits) => Some(Cow::Borrowed(digits)),
        Leaf::Null | Leaf::Boolean(_) | Leaf::Array(_) | Leaf::Object(_) => {
            return Err(Reject::new(reason, format!("the pointer leads to {}", leaf.kind())));
        }
    };
    Ok(true)
}
