//! Who gets what: subscriptions, shared groups, and the routes of topics seen before.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::publish::Qos;
use super::topics::{self, Filter};

/// Topics whose routes are remembered. When there are more, all are worked out afresh.
const ROUTES_MAX: usize = 100_000;

/// One subscriber of one filter, as granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    /// Which client.
    pub(super) client: usize,
    /// The most it is granted.
    pub(super) qos: Qos,
    /// MQTT 5: not what it published itself.
    pub(super) no_local: bool,
    /// MQTT 5: the retain flag as its publisher set it.
    pub(super) retain_as_published: bool,
}

/// Where the publishes of one topic go.
#[derive(Debug, Default)]
pub(super) struct Route {
    /// Each client once, with the best of its matching subscriptions.
    pub(super) direct: Vec<Target>,
    /// Each of these gives it to one member.
    pub(super) groups: Vec<usize>,
}

#[derive(Debug)]
struct Group {
    filter: Filter,
    members: Vec<Target>,
    turn: usize,
}

/// All subscriptions.
#[derive(Debug, Default)]
pub(super) struct Routes {
    direct: Vec<(Filter, Target)>,
    groups: Vec<Group>,
    known: HashMap<Bytes, Arc<Route>>,
}

impl Routes {
    /// Adds or renews a subscription. True if it is new.
    pub(super) fn subscribe(&mut self, filter: &Filter, target: Target) -> bool {
        let renewed = self.unsubscribe(filter, target.client);
        if filter.group.is_none() {
            self.direct.push((filter.clone(), target));
        } else if let Some(group) = self.groups.iter_mut().find(|group| group.filter == *filter) {
            group.members.push(target);
        } else {
            self.groups.push(Group { filter: filter.clone(), members: vec![target], turn: 0 });
        }
        !renewed
    }

    /// Ends a subscription. True if there was one.
    pub(super) fn unsubscribe(&mut self, filter: &Filter, client: usize) -> bool {
        let before = self.subscriptions();
        self.direct.retain(|(known, target)| known != filter || target.client != client);
        for group in self.groups.iter_mut().filter(|group| group.filter == *filter) {
            group.members.retain(|member| member.client != client);
        }
        self.known.clear();
        self.subscriptions() != before
    }

    /// Ends all subscriptions of a client.
    pub(super) fn forget(&mut self, client: usize) {
        self.direct.retain(|(_, target)| target.client != client);
        for group in &mut self.groups {
            group.members.retain(|member| member.client != client);
        }
        self.known.clear();
    }

    /// Where publishes to `topic` go.
    pub(super) fn route(&mut self, topic: &Bytes) -> Arc<Route> {
        if let Some(route) = self.known.get(topic) {
            return Arc::clone(route);
        }
        let route = Arc::new(self.find(topic));
        if self.known.len() >= ROUTES_MAX {
            self.known.clear();
        }
        // A copy, so that the topic does not keep the network buffer it came in.
        self.known.insert(Bytes::copy_from_slice(topic), Arc::clone(&route));
        route
    }

    /// The member of `group` whose turn it is: the next one connected, else the next one.
    pub(super) fn next_member(
        &mut self,
        group: usize,
        connected: impl Fn(usize) -> bool,
    ) -> Option<Target> {
        let group = self.groups.get_mut(group)?;
        let size = group.members.len();
        let member = |step: usize| group.members.get((group.turn + step).checked_rem(size)?);
        let is_connected = |step: &usize| member(*step).is_some_and(|it| connected(it.client));
        let step = (0..size).find(is_connected).unwrap_or(0);
        let chosen = *member(step)?;
        group.turn = (group.turn + step + 1) % size;
        Some(chosen)
    }

    fn subscriptions(&self) -> usize {
        self.direct.len() + self.groups.iter().map(|group| group.members.len()).sum::<usize>()
    }

    fn find(&self, topic: &[u8]) -> Route {
        let mut route = Route::default();
        for (filter, target) in &self.direct {
            if !topics::matches(&filter.pattern, topic) {
                continue;
            }
            match route.direct.iter_mut().find(|known| known.client == target.client) {
                Some(known) if known.qos < target.qos => *known = *target,
                Some(_) => {}
                None => route.direct.push(*target),
            }
        }
        let groups = self.groups.iter().enumerate();
        route.groups = groups
            .filter(|(_, group)| topics::matches(&group.filter.pattern, topic))
            .map(|(index, _)| index)
            .collect();
        route
    }
}
