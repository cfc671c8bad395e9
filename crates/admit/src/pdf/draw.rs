//! Puts a planned ticket on the page and tells screen readers what each part is.

use krilla::color::rgb;
use krilla::geom::{Path, PathBuilder, Point, Rect};
use krilla::num::NormalizedF32;
use krilla::paint::{Fill, Stroke, StrokeDash};
use krilla::surface::Surface;
use krilla::tagging::{Artifact, ArtifactType, ContentTag, SpanTag, Tag, TagGroup, TagTree};
use parley::Alignment;

use super::plan::{CODE, MARGIN, Placed, Plan, Role};
use super::text::{Shaper, Style};
use super::{PAGE, TicketPage};
use crate::qr::{QUIET_ZONE, Symbol};

/// Draws everything; the code comes last, so that no accent piled on a letter can reach into it.
pub(super) fn draw(
    surface: &mut Surface<'_>,
    shaper: &mut Shaper,
    plan: &Plan,
    symbol: &Symbol,
    page: &TicketPage,
) -> TagTree {
    let mut tags = TagTree::new();
    let [red, green, blue] = page.accent;
    decoration(surface, |surface| {
        fill(
            surface,
            rgb::Color::new(red, green, blue),
            rect(0.0, 0.0, PAGE.0, plan.band).as_ref(),
        );
        if let Some(y) = plan.rule {
            line(surface, y, (MARGIN, PAGE.0 - MARGIN), None);
        }
        line(surface, plan.tear, (0.0, PAGE.0), Some(vec![5.0, 4.0]));
        scissors(surface, shaper, plan.tear);
    });
    for placed in &plan.texts {
        text(surface, shaper, placed, &mut tags);
    }
    let id = surface.start_tagged(ContentTag::Other);
    code(surface, plan.code, symbol);
    surface.end_tagged();
    let mut figure = TagGroup::new(Tag::Figure(Some(page.code_label.clone())));
    figure.push(id);
    tags.push(figure);
    tags
}

fn text(surface: &mut Surface<'_>, shaper: &mut Shaper, placed: &Placed, tags: &mut TagTree) {
    let mut group = match placed.role {
        Role::Decoration => {
            return decoration(surface, |surface| {
                shaper.draw(surface, &placed.paragraph, placed.at);
            });
        }
        Role::Title => TagGroup::new(Tag::Hn(std::num::NonZeroU16::MIN, None)),
        Role::Text => TagGroup::new(Tag::P),
    };
    group.push(surface.start_tagged(ContentTag::Span(SpanTag::empty())));
    shaper.draw(surface, &placed.paragraph, placed.at);
    surface.end_tagged();
    tags.push(group);
}

/// Draws what a screen reader passes over.
pub(super) fn decoration(surface: &mut Surface<'_>, draw: impl FnOnce(&mut Surface<'_>)) {
    surface.start_tagged(ContentTag::Artifact(Artifact::new(ArtifactType::Layout, None)));
    draw(surface);
    surface.end_tagged();
}

/// The symbol in a thin frame; the frame is the outer edge of the quiet zone.
fn code(surface: &mut Surface<'_>, at: Point, symbol: &Symbol) {
    frame(surface, at, (CODE, CODE));
    draw_symbol(surface, at, CODE, symbol);
}

/// A white field of this width and height with a thin edge.
pub(super) fn frame(surface: &mut Surface<'_>, at: Point, size: (f32, f32)) {
    surface.set_fill(Some(solid(rgb::Color::white())));
    surface.set_stroke(Some(Stroke { paint: pale().into(), width: 0.8, ..Stroke::default() }));
    if let Some(edge) = rounded(at, size, 8.0) {
        surface.draw_path(&edge);
    }
}

/// The modules of a symbol in a square of this side, its quiet zone included.
pub(super) fn draw_symbol(surface: &mut Surface<'_>, at: Point, side: f32, symbol: &Symbol) {
    let module = side / small(symbol.modules() + 2 * QUIET_ZONE);
    let mut path = PathBuilder::new();
    for y in 0..symbol.modules() {
        for (x, length) in symbol.runs(y) {
            let left = at.x + small(x + QUIET_ZONE) * module;
            let top = at.y + small(y + QUIET_ZONE) * module;
            if let Some(run) = Rect::from_xywh(left, top, small(length) * module, module) {
                path.push_rect(run);
            }
        }
    }
    // Pure black, not the page's softer ink: contrast is what scanners live on.
    fill(surface, rgb::Color::black(), path.finish().as_ref());
}

/// Shows where to cut, as far as a font has scissors.
fn scissors(surface: &mut Surface<'_>, shaper: &mut Shaper, y: f32) {
    let colour = rgb::Color::new(113, 113, 122);
    let style = Style { size: 13.0, bold: false, colour, align: Alignment::Left, tracking: 0.0 };
    let sign = shaper.paragraph("✂", style, MARGIN);
    fill(surface, rgb::Color::white(), rect(22.0, y - 1.0, 20.0, 2.0).as_ref());
    shaper.draw(surface, &sign, Point::from_xy(25.0, y - sign.height() / 2.0));
}

fn line(surface: &mut Surface<'_>, y: f32, (from, to): (f32, f32), dash: Option<Vec<f32>>) {
    let mut path = PathBuilder::new();
    path.move_to(from, y);
    path.line_to(to, y);
    surface.set_fill(None);
    surface.set_stroke(Some(Stroke {
        paint: pale().into(),
        width: 0.9,
        dash: dash.map(|array| StrokeDash { array, offset: 0.0 }),
        ..Stroke::default()
    }));
    if let Some(path) = path.finish() {
        surface.draw_path(&path);
    }
    surface.set_stroke(None);
}

pub(super) fn fill(surface: &mut Surface<'_>, colour: rgb::Color, path: Option<&Path>) {
    surface.set_stroke(None);
    surface.set_fill(Some(solid(colour)));
    if let Some(path) = path {
        surface.draw_path(path);
    }
}

fn solid(colour: rgb::Color) -> Fill {
    Fill { paint: colour.into(), opacity: NormalizedF32::ONE, ..Fill::default() }
}

fn pale() -> rgb::Color {
    rgb::Color::new(196, 196, 204)
}

pub(super) fn rect(x: f32, y: f32, width: f32, height: f32) -> Option<Path> {
    let mut path = PathBuilder::new();
    path.push_rect(Rect::from_xywh(x, y, width, height)?);
    path.finish()
}

/// A rectangle with round corners.
fn rounded(at: Point, (width, height): (f32, f32), radius: f32) -> Option<Path> {
    // Distance of the control points that makes a cubic curve pass for a quarter circle.
    let bend = radius * 0.447_7;
    let (left, top, right, foot) = (at.x, at.y, at.x + width, at.y + height);
    let mut path = PathBuilder::new();
    path.move_to(left + radius, top);
    path.line_to(right - radius, top);
    path.cubic_to(right - bend, top, right, top + bend, right, top + radius);
    path.line_to(right, foot - radius);
    path.cubic_to(right, foot - bend, right - bend, foot, right - radius, foot);
    path.line_to(left + radius, foot);
    path.cubic_to(left + bend, foot, left, foot - bend, left, foot - radius);
    path.line_to(left, top + radius);
    path.cubic_to(left, top + bend, left + bend, top, left + radius, top);
    path.close();
    path.finish()
}

/// A count of modules, at most 185, as a length.
fn small(modules: i32) -> f32 {
    i16::try_from(modules).map_or(0.0, f32::from)
}
