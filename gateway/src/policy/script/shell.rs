//! The text of a shell script: commands whose words mean what they say.

/// Where comments are wrapped, in characters.
const COMMENT_CHARS_MAX: usize = 96;

/// A script in the making.
#[derive(Debug)]
pub(super) struct Script {
    text: String,
    region: String,
}

impl Script {
    /// An empty one. Commands that are of no region still go to one, which says the partition.
    pub(super) fn new(region: &str) -> Self {
        Self { text: String::new(), region: region.to_owned() }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// A line as it is.
    pub(super) fn line(&mut self, line: &str) {
        self.text += line;
        self.text.push('\n');
    }

    /// A comment, wrapped.
    pub(super) fn says(&mut self, sentence: &str) {
        let mut line = String::from("#");
        for word in sentence.split_whitespace() {
            if line.len() + 1 + word.len() > COMMENT_CHARS_MAX {
                self.line(&line);
                "#".clone_into(&mut line);
            }
            line.push(' ');
            line += word;
        }
        self.line(&line);
    }

    /// A comment that begins a part.
    pub(super) fn section(&mut self, sentence: &str) {
        self.line("");
        self.says(sentence);
    }

    /// `aws` with these arguments.
    pub(super) fn run(&mut self, arguments: &[&str]) {
        let region = self.region.clone();
        self.run_in(&region, arguments);
    }

    /// The same in another region.
    pub(super) fn run_in(&mut self, region: &str, arguments: &[&str]) {
        let command = aws(region, arguments);
        self.line(&command);
    }

    /// `aws` with these arguments, what it prints kept in a variable; the script ends if it fails.
    pub(super) fn keep(&mut self, variable: &str, arguments: &[&str]) {
        let command = aws(&self.region, arguments);
        self.line(&format!("{variable}=$({command})"));
    }
}

fn aws(region: &str, arguments: &[&str]) -> String {
    let region = ["--region", region];
    let words = arguments.iter().chain(&region);
    words.fold("aws".to_owned(), |command, word| command + " " + &quoted(word))
}

/// One word of a command.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,@+".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_are_quoted_where_a_shell_would_read_them_as_something_else() {
        let words =
            [("arn:aws:x", "arn:aws:x"), ("a b", "'a b'"), ("", "''"), ("*", "'*'"), ("~", "'~'")];
        for (word, in_shell) in words {
            assert_eq!(quoted(word), in_shell);
        }
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
    }
}
