//! Answers as a page: one file that needs nothing else, with charts, for a screen or for paper.

use self::chart::{Chart, Paint};
use super::Faults;
use super::figures::formulas::{self, Formula};
use super::figures::{
    self, BROKEN, Rows, about, allowed, because, carried, comparisons, costs, fleet, holding,
    machine, neighbours, outlook, used,
};
use super::question::{Question, Said};
use super::report::{Planned, Reverse};
use super::words::{grouped, shards};
use crate::Outlook;
use crate::bill::Bill;

mod chart;
mod charts;

/// Rows of tiles are about equally long, and no longer than this.
const TILES_IN_ROW: usize = 4;

const STYLE: &str = include_str!("html/page.css");

/// A plan.
pub(super) fn of_plan(question: &Question, planned: &Planned<'_>) -> Result<String, Faults> {
    let plan = &planned.plan;
    let neighbour = plan.less.as_ref().map(|less| (Paint::Second, less));
    let outlooks: Vec<_> = neighbour
        .into_iter()
        .chain([(Paint::First, &plan.chosen), (Paint::Third, &plan.more)])
        .collect();
    let drawn = [
        charts::cost_by_shards(question, planned),
        Some(charts::load_by_shard(question, &plan.chosen)),
        charts::backlog(&outlooks),
        charts::shards_by_month(question, planned),
        charts::cost_by_mode(&planned.bill),
        Some(charts::sizes(question)),
    ];
    let page = Page {
        title: shards(plan.shards),
        headline: format!("{}.", because(planned)),
        question,
        outlook: &plan.chosen,
        bill: &planned.bill,
        said: [
            holding(question, planned),
            neighbours(planned),
            outlook(question, planned),
            comparisons(planned),
        ]
        .concat(),
        charts: drawn.into_iter().flatten().collect(),
        tables: vec![
            ("Every goal, with one shard less and more", figures::constraints(planned)),
            ("Shards by month", figures::months(planned)),
        ],
        machine: machine(question, planned),
        warnings: &planned.warnings,
    };
    page.write()
}

/// What shards can carry.
pub(super) fn of_reverse(question: &Question, reverse: &Reverse<'_>) -> Result<String, Faults> {
    let drawn = [
        Some(charts::load_by_shard(question, &reverse.outlook)),
        charts::backlog(&[(Paint::First, &reverse.outlook)]),
        charts::cost_by_mode(&reverse.bill),
        Some(charts::sizes(question)),
    ];
    let devices = grouped(f64::from(reverse.carried.devices));
    let page = Page {
        title: shards(reverse.outlook.shards),
        headline: format!("carry {devices} devices."),
        question,
        outlook: &reverse.outlook,
        bill: &reverse.bill,
        said: carried(reverse),
        charts: drawn.into_iter().flatten().collect(),
        tables: vec![("Every goal", figures::checks(&reverse.outlook))],
        machine: Vec::new(),
        warnings: &reverse.warnings,
    };
    page.write()
}

/// What stands on a page.
struct Page<'a> {
    title: String,
    headline: String,
    question: &'a Question,
    outlook: &'a Outlook,
    bill: &'a Bill,
    said: Vec<String>,
    charts: Vec<Chart>,
    tables: Vec<(&'static str, Rows)>,
    machine: Vec<String>,
    warnings: &'a [Said],
}

impl Page<'_> {
    fn write(&self) -> Result<String, Faults> {
        let mut charts = String::new();
        for (n, chart) in self.charts.iter().enumerate() {
            charts += &chart.figure(&format!("chart-{n}"))?;
        }
        let (title, headline) = (escaped(&self.title), escaped(&self.headline));
        let (style, tiles, figures) = (chart::style(), self.tiles(), self.figures());
        let (fleet, said) = (list(&fleet(self.question)), paragraphs(&self.said));
        let (warnings, formulas) = (warnings(self.warnings), self.formulas());
        let Question { region_name, prices_date, .. } = self.question;
        let (version, region) = (env!("CARGO_PKG_VERSION"), escaped(region_name));
        Ok(format!(
            "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n\
             <title>Kinesis capacity: {title}</title>\n<style>\n{style}{STYLE}</style></head>\n\
             <body><main>\n<header><p class=\"kicker\">Capacity of a Kinesis data stream</p>\n\
             <h1>{title}</h1><p class=\"headline\">{headline}</p>\n{fleet}</header>\n\
             {tiles}\n<section class=\"said\">{said}</section>\n\
             <section class=\"charts\"><h2>In pictures</h2>\n<div>{charts}</div></section>\n\
             <section><h2>In figures</h2>\n{figures}</section>\n{warnings}\
             <section><h2>How it is calculated</h2>\n<dl>{formulas}</dl></section>\n\
             <footer>shard-estimator {version}, prices of {region}, {prices_date}</footer>\n\
             </main></body></html>\n"
        ))
    }

    /// What the pictures show, exactly.
    fn figures(&self) -> String {
        let tables: String = self.tables.iter().map(|(title, rows)| table(title, rows)).collect();
        let costs = table("What a month costs, by mode", &costs::rows(self.bill));
        let prices = capital(&costs::about(self.question, self.bill)) + ".";
        format!("{tables}{costs}{}{}", paragraphs(&[prices]), paragraphs(&self.machine))
    }

    fn formulas(&self) -> String {
        let formulas = formulas::of(self.question, self.outlook, self.bill);
        formulas.iter().map(formula).collect()
    }

    /// The few figures that everybody asks for.
    fn tiles(&self) -> String {
        let cost = self.bill.provisioned.map(|cost| {
            tile(
                &cost.total().to_string(),
                "a month, provisioned",
                "before tax and discounts",
                true,
            )
        });
        let checks = self.outlook.checks.iter().map(|check| {
            let about = about(check);
            let allowed = format!("allowed {}", allowed(check));
            tile(&used(check), &about, &allowed, check.holds())
        });
        let tiles: Vec<_> = cost.into_iter().chain(checks).collect();
        let columns = tiles.len().div_ceil(tiles.len().div_ceil(TILES_IN_ROW).max(1));
        let tiles = tiles.concat();
        format!("<section class=\"tiles\" style=\"--columns:{columns}\">{tiles}</section>")
    }
}

fn tile(figure: &str, about: &str, allowed: &str, holds: bool) -> String {
    let class = if holds { "tile" } else { "tile broken" };
    let (figure, about, allowed) = (escaped(figure), escaped(about), escaped(allowed));
    format!(
        "<div class=\"{class}\"><b>{figure}</b><span>{about}</span><small>{allowed}</small></div>"
    )
}

fn formula(formula: &Formula) -> String {
    let Formula { name, says, source } = formula;
    let (name, says, source) = (escaped(name), escaped(says), escaped(source));
    format!("<dt>{name}</dt><dd>{says}<small>From {source}.</small></dd>\n")
}

fn warnings(warnings: &[Said]) -> String {
    if warnings.is_empty() {
        return String::new();
    }
    let said: Vec<_> = warnings.iter().map(|warning| capital(&warning.says) + ".").collect();
    format!(
        "<section class=\"warnings\"><h2>What speaks against it</h2>\n{}</section>\n",
        list(&said)
    )
}

/// The first row is the head, the first cell of each row its own; nothing for no rows.
fn table(title: &str, rows: &Rows) -> String {
    let Some((head, body)) = rows.split_first() else { return String::new() };
    let head: String =
        head.iter().map(|cell| format!("<th scope=\"col\">{}</th>", escaped(cell))).collect();
    let body: String = body.iter().map(|cells| row(cells)).collect();
    format!(
        "<div class=\"wide\"><table><caption>{}</caption>\n<thead><tr>{head}</tr></thead>\n\
         <tbody>\n{body}</tbody></table></div>\n",
        escaped(title)
    )
}

fn row(cells: &[String]) -> String {
    let cell = |(column, cell): (usize, &String)| {
        let broken = if cell.starts_with(BROKEN) { " class=\"broken\"" } else { "" };
        match column {
            0 => format!("<th scope=\"row\">{}</th>", escaped(cell)),
            _ => format!("<td{broken}>{}</td>", escaped(cell)),
        }
    };
    let cells: String = cells.iter().enumerate().map(cell).collect();
    format!("<tr>{cells}</tr>\n")
}

fn list(lines: &[String]) -> String {
    let items: String = lines.iter().map(|line| format!("<li>{}</li>", escaped(line))).collect();
    format!("<ul>{items}</ul>\n")
}

fn paragraphs(lines: &[String]) -> String {
    lines.iter().map(|line| format!("<p>{}</p>\n", escaped(line))).collect()
}

/// A sentence begins with a capital.
fn capital(sentence: &str) -> String {
    let mut chars = sentence.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// Text that is no markup, whatever it says: names come from whoever asks.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            '%' if escaped.ends_with(' ') => {
                // A number stays with its unit.
                escaped.pop();
                escaped += "&nbsp;%";
            }
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_into_a_page_is_never_markup() {
        assert_eq!(escaped("<b a='1'>\"&"), "&lt;b a=&#39;1&#39;&gt;&quot;&amp;");
        assert_eq!(table("", &Rows::new()), "");
    }
}
