//! JSON Pointers (RFC 6901), compiled into one tree, so that a payload is walked once.

use super::name;
use super::rule::Rule;

/// Why a text is no JSON Pointer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PointerFault {
    /// Only the empty pointer, the whole document, starts otherwise.
    #[error("JSON Pointer `{0}` must start with `/`")]
    NoSlash(String),
    /// `~` is written `~0` and `/` inside a key `~1`.
    #[error("JSON Pointer `{0}`: after `~` comes 0 or 1")]
    BadEscape(String),
}

/// Splits a JSON Pointer into the keys and indices that lead to a value.
///
/// # Errors
/// The text is no JSON Pointer.
pub fn tokens(pointer: &str) -> Result<Vec<String>, PointerFault> {
    if pointer.is_empty() {
        return Ok(Vec::new());
    }
    let Some(path) = pointer.strip_prefix('/') else {
        return Err(PointerFault::NoSlash(pointer.to_owned()));
    };
    let unescape = |token: &str| {
        let mut after_tilde = token.split('~').skip(1);
        after_tilde
            .all(|rest| rest.starts_with(['0', '1']))
            .then(|| token.replace("~1", "/").replace("~0", "~"))
            .ok_or_else(|| PointerFault::BadEscape(pointer.to_owned()))
    };
    path.split('/').map(unescape).collect()
}

/// What a value that is pointed at is wanted for.
#[derive(Debug, Clone)]
pub(super) enum Role {
    Device,
    Tenant,
    /// With the rank among the time pointers; the lowest wins.
    Time(usize),
    Sequence,
    Measure(Rule),
}

/// A place in a document, what its value is wanted for, and the places below it.
#[derive(Debug, Clone)]
pub(super) struct Node {
    /// The way to it in snake_case, as measurements are named.
    pub(super) name: Box<str>,
    pub(super) roles: Vec<Role>,
    children: Vec<(Box<str>, Node)>,
}

impl Node {
    /// The whole document.
    pub(super) fn root() -> Self {
        Self { name: "".into(), roles: Vec::new(), children: Vec::new() }
    }

    /// Notes that the value at `pointer` is wanted for `role`.
    pub(super) fn want(&mut self, pointer: &str, role: Role) -> Result<(), PointerFault> {
        let mut node = self;
        for token in tokens(pointer)? {
            node = node.child_or_new(token);
        }
        node.roles.push(role);
        Ok(())
    }

    fn child_or_new(&mut self, token: String) -> &mut Self {
        let at = self.children.iter().position(|(key, _)| **key == *token);
        let at = at.unwrap_or_else(|| {
            let mut path = String::from(&*self.name);
            name::push(&mut path, &token);
            self.children.push((token.into(), Self { name: path.into(), ..Self::root() }));
            self.children.len() - 1
        });
        let child = self.children.get_mut(at).map(|(_, node)| node);
        child.expect("it was found or put there")
    }

    /// The place of the member `key`, if something at or below it is wanted.
    pub(super) fn member(&self, key: &str) -> Option<&Self> {
        self.children.iter().find(|(token, _)| **token == *key).map(|(_, node)| node)
    }

    /// The place of the element `index`, if something at or below it is wanted.
    pub(super) fn element(&self, index: usize) -> Option<&Self> {
        self.children.iter().find(|(token, _)| token.parse() == Ok(index)).map(|(_, node)| node)
    }

    pub(super) fn has_children(&self) -> bool {
        !self.children.is_empty()
    }
}
