//! Debian's chromium, without a window.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use tempfile::TempDir;

const INSTALL: &str = "apt-get install chromium, or tests/install";

/// Ends a browser that does not end by itself; some seconds are usual.
const SECONDS_MAX: &str = "60";

/// What `timeout` says when there is no such program.
const NOT_FOUND: i32 = 127;

/// What the reader prefers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "as they are called everywhere")]
pub enum Scheme {
    Light,
    Dark,
}

/// A page that is opened in a browser, as often as it is looked at.
#[derive(Debug)]
pub struct Page {
    dir: TempDir,
    html: String,
}

/// A page as it is shown.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    /// Whether the style sheet was told that the reader prefers dark.
    pub dark: bool,
    /// Of the window, in CSS pixels.
    pub width: f64,
    /// Whether it must be moved sideways to be read.
    pub too_wide: bool,
    /// Scripts in it, with the one that measures.
    pub scripts: usize,
    /// What it loaded besides itself.
    pub resources: usize,
    /// The text of its `h1`.
    pub headline: String,
    /// Everything that can be read.
    pub words: String,
    /// Elements with a text of their own.
    pub texts: usize,
    /// Those of them that can hardly be read.
    pub faint: Vec<Faint>,
    /// In the order of the page.
    pub charts: Vec<Chart>,
}

/// A text that can hardly be read.
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "named as in the recommendations for accessible pages")]
pub struct Faint {
    pub text: String,
    pub contrast: f64,
}

/// A drawing as it is shown.
#[derive(Debug, Deserialize)]
pub struct Chart {
    /// What it is called for who cannot see it.
    pub title: String,
    /// What it says to them.
    pub about: String,
    /// In CSS pixels.
    pub width: f64,
    /// In CSS pixels.
    pub height: f64,
    /// Texts in it.
    pub words: usize,
    /// Shapes in it that can be seen.
    pub shapes: usize,
    /// Texts that reach beyond it.
    pub outside: Vec<String>,
    /// Pairs of texts that lie on each other.
    pub overlapping: Vec<[String; 2]>,
}

impl Page {
    /// A page of this text.
    #[must_use]
    pub fn new(html: String) -> Self {
        Self { dir: TempDir::new().expect("a temporary directory"), html }
    }

    /// Its text.
    #[must_use]
    pub fn html(&self) -> &str {
        &self.html
    }

    /// Opens it in a window so many pixels wide, and measures.
    #[must_use]
    pub fn shown(&self, scheme: Scheme, width: u32) -> Shown {
        let script = concat!("<script>", include_str!("measure.js"), "</script></body>");
        let copy = self.write("measured.html", &self.html.replace("</body>", script));
        // Long enough to have all of it in the window: what is not cannot be asked what it covers.
        let window = format!("--window-size={width},9000");
        let dom = self.open(&copy, scheme, &[&window, "--dump-dom"]);
        let found =
            dom.split_once("<pre id=\"measured\">").and_then(|(_, rest)| rest.split_once('<'));
        let (found, _) = found.expect("the page was measured");
        let json = data_encoding::BASE64.decode(found.as_bytes()).expect("base64");
        serde_json::from_slice(&json).expect("what the script writes")
    }

    /// How many sheets of paper it fills.
    #[must_use]
    pub fn sheets(&self) -> usize {
        let (page, pdf) =
            (self.write("printed.html", &self.html), self.dir.path().join("page.pdf"));
        let to = format!("--print-to-pdf={}", pdf.display());
        self.open(&page, Scheme::Light, &[&to, "--no-pdf-header-footer"]);
        let pdf = fs::read(pdf).expect("printed");
        let text = String::from_utf8_lossy(&pdf);
        text.matches("/Type /Page").count() - text.matches("/Type /Pages").count()
    }

    fn write(&self, name: &str, html: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, html).expect("a writable directory");
        path
    }

    fn open(&self, page: &Path, scheme: Scheme, arguments: &[&str]) -> String {
        let scheme = match scheme {
            Scheme::Dark => 0,
            Scheme::Light => 1,
        };
        let output = Command::new("timeout")
            .args([SECONDS_MAX, "chromium", "--headless", "--no-sandbox", "--disable-gpu"])
            .args(["--hide-scrollbars", "--disable-dev-shm-usage"])
            .arg(format!("--user-data-dir={}", self.dir.path().join("profile").display()))
            .arg(format!("--blink-settings=preferredColorScheme={scheme}"))
            .args(arguments)
            .arg(format!("file://{}", page.display()))
            .output()
            .expect("timeout is on every Linux");
        let missing = output.status.code() == Some(NOT_FOUND);
        assert!(!missing, "this test needs chromium: {INSTALL}");
        let log = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "chromium ends with {}: {log}", output.status);
        String::from_utf8(output.stdout).expect("it writes UTF-8")
    }
}
