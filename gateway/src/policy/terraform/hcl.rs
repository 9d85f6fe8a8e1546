//! The text of blocks in HCL.

use std::fmt;

/// A block: its attributes, then the blocks in it.
#[derive(Debug)]
pub(super) struct Block {
    header: String,
    /// Names, and values as they are written.
    attributes: Vec<(&'static str, String)>,
    blocks: Vec<Block>,
}

impl Block {
    pub(super) fn new(header: &str) -> Self {
        Self { header: header.to_owned(), attributes: Vec::new(), blocks: Vec::new() }
    }

    pub(super) fn resource(kind: &str, label: &str) -> Self {
        Self::new(&format!("resource \"{kind}\" \"{label}\""))
    }

    /// With a text.
    pub(super) fn text(self, name: &'static str, text: &str) -> Self {
        self.refers(name, &quoted(text))
    }

    /// With a list of texts.
    pub(super) fn list<'t>(
        self,
        name: &'static str,
        texts: impl IntoIterator<Item = &'t str>,
    ) -> Self {
        let texts: Vec<_> = texts.into_iter().map(quoted).collect();
        self.refers(name, &format!("[{}]", texts.join(", ")))
    }

    /// With a number, or what another block says.
    pub(super) fn refers(mut self, name: &'static str, expression: &str) -> Self {
        self.attributes.push((name, expression.to_owned()));
        self
    }

    /// With a block in it.
    pub(super) fn holds(mut self, block: Self) -> Self {
        self.blocks.push(block);
        self
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, indent: usize) -> fmt::Result {
        let Self { header, attributes, blocks } = self;
        writeln!(f, "{:indent$}{header} {{", "")?;
        let width = attributes.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
        let within = indent + 2;
        for (name, value) in attributes {
            writeln!(f, "{:within$}{name:width$} = {value}", "")?;
        }
        for (index, block) in blocks.iter().enumerate() {
            if index > 0 || !attributes.is_empty() {
                writeln!(f)?;
            }
            block.write(f, within)?;
        }
        writeln!(f, "{:indent$}}}", "")
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

/// A text in which Terraform finds nothing to fill in: what IAM is to fill in looks the same.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted += "\\n",
            _ => quoted.push(c),
        }
    }
    let literal = quoted.replace("${", "$${").replace("%{", "%%{");
    literal + "\""
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn nothing_in_a_text_is_filled_in_by_terraform() {
        assert_eq!(quoted("user/${aws:username}"), r#""user/$${aws:username}""#);
        assert_eq!(quoted("%{if}"), r#""%%{if}""#);
        assert_eq!(quoted("a \"b\" \\ \n"), r#""a \"b\" \\ \n""#);
    }
}
