//! A chart: axes and shapes, drawn as SVG by plotters.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::escaped;
use crate::cli::Faults;

pub(super) use axis::Axis;
pub(super) use palette::{Paint, style};

mod axis;
mod palette;

const WIDTH: u32 = 560;
const HEIGHT: u32 = 320;
const FONT: &str = "sans-serif";
/// Plotters takes it for the height of a line, and writes letters of four fifths of it.
const FONT_SIZE: f64 = 16.0;

/// Something drawn between the axes, in their measures.
pub(super) enum Shape {
    /// Filled, between two corners.
    Bar {
        x: (f64, f64),
        y: (f64, f64),
        paint: Paint,
    },
    Line {
        points: Vec<(f64, f64)>,
        paint: Paint,
    },
    Dot {
        at: (f64, f64),
        paint: Paint,
    },
    /// Text that begins, or stands in the middle, above a point.
    Note {
        at: (f64, f64),
        side: Side,
        text: String,
        paint: Paint,
    },
}

/// Where a note is, seen from its point.
#[derive(Debug, Clone, Copy)]
pub(super) enum Side {
    Right,
    Above,
}

impl Shape {
    /// A line across the chart at a height.
    pub(super) fn level(x: &Axis, y: f64, paint: Paint) -> Self {
        Self::Line { points: vec![(x.ends().0, y), (x.ends().1, y)], paint }
    }

    /// A line from top to bottom.
    pub(super) fn plumb(x: f64, y: &Axis, paint: Paint) -> Self {
        Self::Line { points: vec![(x, y.ends().0), (x, y.ends().1)], paint }
    }
}

/// A chart, with what is said about it.
pub(super) struct Chart {
    pub(super) title: &'static str,
    /// What it shows, for who cannot see it; no markup.
    pub(super) about: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    /// In the order in which they are drawn.
    pub(super) shapes: Vec<Shape>,
    /// What the paints stand for.
    pub(super) legend: Vec<(Paint, String)>,
}

impl Chart {
    /// As a figure; `id` is no other's on the page.
    pub(super) fn figure(&self, id: &str) -> Result<String, Faults> {
        let svg = self.svg().map_err(Faults::one)?;
        let inner = svg.split_once('>').map_or("", |(_, inner)| inner);
        let entry = |(paint, words): &(Paint, String)| {
            format!("<span><i class=\"{}\"></i>{}</span>", paint.name(), escaped(words))
        };
        let legend: String = self.legend.iter().map(entry).collect();
        let (title, about) = (escaped(self.title), escaped(&self.about));
        Ok(format!(
            "<figure id=\"{id}\"><h3>{title}</h3>\n\
             <svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
             aria-labelledby=\"{id}-title {id}-about\" xmlns=\"http://www.w3.org/2000/svg\">\n\
             <title id=\"{id}-title\">{title}</title><desc id=\"{id}-about\">{about}</desc>\n\
             {inner}<figcaption>{legend}</figcaption></figure>\n"
        ))
    }

    fn svg(&self) -> Result<String, DrawingAreaErrorKind<std::io::Error>> {
        let mut svg = String::new();
        {
            let root = SVGBackend::with_string(&mut svg, (WIDTH, HEIGHT)).into_drawing_area();
            let text = |paint: Paint| (FONT, FONT_SIZE).into_font().color(&paint.rgb());
            let (x, y) = (&self.x, &self.y);
            let mut chart = ChartBuilder::on(&root)
                .margin_left(8)
                .margin_top(14)
                .margin_right(18)
                .x_label_area_size(50)
                .y_label_area_size(78)
                .build_cartesian_2d(x.clone(), y.clone())?;
            chart
                .configure_mesh()
                .disable_x_mesh()
                .light_line_style(TRANSPARENT)
                .bold_line_style(Paint::Grid.rgb())
                .axis_style(Paint::Muted.rgb())
                .label_style(text(Paint::Muted))
                .axis_desc_style(text(Paint::Muted))
                .x_desc(x.name)
                .y_desc(y.name)
                .draw()?;
            for shape in &self.shapes {
                match shape {
                    Shape::Bar { x, y, paint } => {
                        let corners = [(x.0, y.0), (x.1, y.1)];
                        let bar = Rectangle::new(corners, paint.rgb().filled());
                        chart.draw_series([bar])?;
                    }
                    Shape::Line { points, paint } => {
                        let style = paint.rgb().stroke_width(2);
                        chart.draw_series([PathElement::new(points.clone(), style)])?;
                    }
                    Shape::Dot { at, paint } => {
                        chart.draw_series([Circle::new(*at, 5, paint.rgb().filled())])?;
                    }
                    Shape::Note { at, side, text: note, paint } => {
                        let (anchor, off) = match side {
                            Side::Right => (HPos::Left, (6, -5)),
                            Side::Above => (HPos::Center, (0, -7)),
                        };
                        let style = text(*paint).pos(Pos::new(anchor, VPos::Bottom));
                        let note = EmptyElement::at(*at) + Text::new(note.clone(), off, style);
                        chart.draw_series([note])?;
                    }
                }
            }
            root.present()?;
        }
        Ok(svg)
    }
}
