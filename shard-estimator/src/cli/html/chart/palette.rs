//! A small palette. A drawing has its colours for a light page; the page's style sheet gives each of
//! them another for a dark one, by the attribute that the drawing says it with.

use plotters::style::RGBColor;

/// A colour by its part in the chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli::html) enum Paint {
    /// What matters most.
    Ink,
    /// Axes and their names.
    Muted,
    Grid,
    First,
    Second,
    Third,
    Fourth,
    Fifth,
    /// Behind what cannot be.
    Shade,
    /// What must not be crossed.
    Limit,
}

/// For each paint its name in the style sheet, and its colour on a light and on a dark page.
const PALETTE: [(Paint, &str, u32, u32); 10] = [
    (Paint::Ink, "ink", 0x1c2430, 0xe8ecf2),
    (Paint::Muted, "muted", 0x525d6b, 0xa9b3c0),
    (Paint::Grid, "grid", 0xdfe4ea, 0x343d49),
    (Paint::First, "first", 0x1f6fb2, 0x6db3f2),
    (Paint::Second, "second", 0xc2571a, 0xf0a36b),
    (Paint::Third, "third", 0x2e7d4f, 0x7ccf9b),
    (Paint::Fourth, "fourth", 0x7a4fa3, 0xc3a2e8),
    (Paint::Fifth, "fifth", 0x8a6d1b, 0xd9bf6b),
    (Paint::Shade, "shade", 0xf7e1de, 0x46292b),
    (Paint::Limit, "limit", 0xb3261e, 0xff8f85),
];

impl Paint {
    /// What the style sheet calls it.
    pub(in crate::cli::html) fn name(self) -> &'static str {
        PALETTE.iter().find(|(paint, ..)| *paint == self).map_or("ink", |(_, name, ..)| name)
    }

    pub(super) fn rgb(self) -> RGBColor {
        let light = PALETTE.iter().find(|(paint, ..)| *paint == self).map_or(0, |found| found.2);
        let [_, red, green, blue] = light.to_be_bytes();
        RGBColor(red, green, blue)
    }
}

/// The palette as variables, and rules that put them in the place of the drawn colours.
pub(in crate::cli::html) fn style() -> String {
    let variables = |of: fn(&(Paint, &str, u32, u32)) -> u32| -> String {
        PALETTE.iter().map(|colour| format!("--{}:#{:06x};", colour.1, of(colour))).collect()
    };
    let (light, dark) = (variables(|colour| colour.2), variables(|colour| colour.3));
    let rule = |(_, name, light, _): &(Paint, &str, u32, u32)| {
        format!(
            "svg [fill=\"#{light:06x}\" i]{{fill:var(--{name})}}\
             svg [stroke=\"#{light:06x}\" i]{{stroke:var(--{name})}}\
             .{name}{{background:var(--{name})}}\n"
        )
    };
    let rules: String = PALETTE.iter().map(rule).collect();
    format!(
        ":root{{{light}}}\n@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}\n{rules}"
    )
}
