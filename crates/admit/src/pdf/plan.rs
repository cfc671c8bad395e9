//! Where each thing stands on a ticket's page, and how small the text must be for all to fit.

use krilla::color::rgb;
use krilla::geom::Point;
use parley::Alignment;

use super::text::{Paragraph, Shaper, Style};
use super::{Fact, PAGE, TicketPage, is_rtl};

/// Space at the sides and the foot, in points; Letter cuts 25 from A4's head and foot.
pub(super) const MARGIN: f32 = 48.0;
const CONTENT: f32 = PAGE.0 - 2.0 * MARGIN;
/// Side of the frame that holds the code and its quiet zone: 77 mm.
pub(super) const CODE: f32 = 218.0;
const GUTTER: f32 = 28.0;
const FACTS: f32 = CONTENT - CODE - GUTTER;
const FOOT: f32 = PAGE.1 - MARGIN;

/// What a text is to somebody who hears the page instead of seeing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Title,
    Text,
    Decoration,
}

/// A paragraph and the point of its top left corner.
pub(super) struct Placed {
    pub(super) paragraph: Paragraph,
    pub(super) at: Point,
    pub(super) role: Role,
}

/// The whole page, in points from its top left corner.
pub(super) struct Plan {
    pub(super) texts: Vec<Placed>,
    /// Height of the coloured band at the head.
    pub(super) band: f32,
    /// Height of the line below the name, if there is a name.
    pub(super) rule: Option<f32>,
    /// Top left corner of the code's frame.
    pub(super) code: Point,
    /// Height of the tear line.
    pub(super) tear: f32,
    /// The accent, dark enough to read on white.
    pub(super) ink: rgb::Color,
}

impl Plan {
    /// Tries ever smaller text until the page holds all of it. The code keeps its size.
    pub(super) fn fit(shaper: &mut Shaper, page: &TicketPage) -> Option<Self> {
        [1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.42].into_iter().find_map(|scale| {
            let mut planner = Planner::new(shaper, page, scale);
            planner.plan(page).then_some(planner.plan)
        })
    }
}

/// The pen that goes down the page while it is planned.
struct Planner<'a> {
    shaper: &'a mut Shaper,
    scale: f32,
    rtl: bool,
    on_band: rgb::Color,
    y: f32,
    plan: Plan,
}

impl<'a> Planner<'a> {
    fn new(shaper: &'a mut Shaper, page: &TicketPage, scale: f32) -> Self {
        let plan = Plan {
            texts: Vec::new(),
            band: 0.0,
            rule: None,
            code: Point::from_xy(0.0, 0.0),
            tear: 0.0,
            ink: readable_on_white(page.accent),
        };
        let on_band = if luminance(page.accent) > 0.18 { black() } else { rgb::Color::white() };
        Self { shaper, scale, rtl: is_rtl(&page.lang), on_band, y: 0.0, plan }
    }

    /// Whether everything found its place.
    fn plan(&mut self, page: &TicketPage) -> bool {
        self.band(page);
        self.holder(page.holder.as_ref());
        let top = self.y;
        self.facts(&page.facts);
        let facts_end = self.y;
        self.code(page, top);
        self.y = self.y.max(facts_end) + 30.0;
        self.plan.tear = self.y;
        self.help(page);
        self.foot(page)
    }

    fn band(&mut self, page: &TicketPage) {
        self.y = 52.0;
        let colour = self.on_band;
        let label = self.style(10.0, true, colour, 0.12);
        self.put(&page.heading, label, (0.0, CONTENT), Role::Text);
        self.y += 8.0;
        self.put_shrunk(&page.event, (31.0, 17.0, 2), colour, Role::Title);
        if !page.venue.is_empty() {
            self.y += 6.0;
            let venue = self.style(13.0, false, colour, 0.0);
            self.put(&page.venue, venue, (0.0, CONTENT), Role::Text);
        }
        self.y += 26.0;
        self.plan.band = self.y;
        self.y += 28.0;
    }

    fn holder(&mut self, holder: Option<&Fact>) {
        let Some(holder) = holder else { return };
        self.label(&holder.label, (0.0, CONTENT));
        self.put_shrunk(&holder.value, (25.0, 13.0, 2), black(), Role::Text);
        self.y += 18.0;
        self.plan.rule = Some(self.y);
        self.y += 24.0;
    }

    fn code(&mut self, page: &TicketPage, top: f32) {
        let left = CONTENT - CODE;
        self.plan.code = Point::from_xy(self.left(left, CODE), top);
        self.y = top + CODE + 10.0;
        let style = Style { align: Alignment::Center, ..self.style(13.0, true, black(), 0.06) };
        self.put(&page.number, style, (left, CODE), Role::Text);
    }

    fn facts(&mut self, facts: &[Fact]) {
        for (nth, fact) in facts.iter().enumerate() {
            if nth > 0 {
                self.y += 13.0 * self.scale;
            }
            self.label(&fact.label, (0.0, FACTS));
            let value = self.style(13.5, false, black(), 0.0);
            self.put(&fact.value, value, (0.0, FACTS), Role::Text);
        }
    }

    fn help(&mut self, page: &TicketPage) {
        self.y += 30.0 * self.scale;
        let title = self.style(12.0, true, black(), 0.0);
        self.put(&page.how_to_heading, title, (0.0, CONTENT), Role::Text);
        self.y += 8.0 * self.scale;
        let column = 20.0;
        for (nth, line) in page.how_to.iter().enumerate() {
            let top = self.y;
            let number = self.style(10.5, true, self.plan.ink, 0.0);
            self.put(&format!("{}", nth + 1), number, (0.0, column), Role::Decoration);
            self.y = top;
            let style = self.style(10.5, false, grey(), 0.0);
            self.put(line, style, (column, CONTENT - column), Role::Text);
            self.y += 5.0 * self.scale;
        }
    }

    /// The footer stands at the foot whatever the text above it; true if they do not meet.
    fn foot(&mut self, page: &TicketPage) -> bool {
        let end = self.y;
        if page.footer.is_empty() {
            return end <= FOOT;
        }
        let style = self.style(8.5, false, grey(), 0.0);
        let paragraph = self.shaper.paragraph(&page.footer, style, CONTENT);
        let top = FOOT - paragraph.height();
        let at = Point::from_xy(MARGIN, top);
        self.plan.texts.push(Placed { paragraph, at, role: Role::Text });
        end + 6.0 <= top
    }

    fn label(&mut self, text: &str, column: (f32, f32)) {
        let style = self.style(9.0, true, self.plan.ink, 0.04);
        self.put(text, style, column, Role::Text);
        self.y += 2.0;
    }

    fn style(&self, size: f32, bold: bool, colour: rgb::Color, tracking: f32) -> Style {
        // Not by each text's own direction: a name must stand below its label.
        let align = if self.rtl { Alignment::Right } else { Alignment::Left };
        // Small print stays readable while large text gives way.
        Style { size: (size * self.scale).max(size.min(6.0)), bold, colour, align, tracking }
    }

    /// Sets text in a column of (offset from the margin, width) and moves the pen below it.
    fn put(&mut self, text: &str, style: Style, column: (f32, f32), role: Role) {
        let paragraph = self.shaper.paragraph(text, style, column.1);
        self.place(paragraph, column, role);
    }

    /// Sets large text over the whole width: (largest size, smallest size, lines), smaller until it
    /// keeps to the lines; at the smallest size it takes as many lines as it needs.
    fn put_shrunk(&mut self, text: &str, fit: (f32, f32, usize), colour: rgb::Color, role: Role) {
        let (mut size, smallest, lines) = fit;
        loop {
            let style = self.style(size, true, colour, 0.0);
            let paragraph = self.shaper.paragraph(text, style, CONTENT);
            if paragraph.lines() <= lines || size <= smallest {
                let (paragraph, width) = self.balance(text, style, paragraph);
                return self.place(paragraph, (0.0, width), role);
            }
            size -= 2.0;
        }
    }

    /// The same text in as many lines of about equal length: one word alone below a long line looks
    /// like a mistake.
    fn balance(&mut self, text: &str, style: Style, wide: Paragraph) -> (Paragraph, f32) {
        let (mut best, mut width) = (wide, CONTENT);
        if best.lines() > 1 {
            for step in 1..=9_u8 {
                let narrower = CONTENT * (1.0 - 0.05 * f32::from(step));
                let paragraph = self.shaper.paragraph(text, style, narrower);
                if paragraph.lines() > best.lines() {
                    break;
                }
                (best, width) = (paragraph, narrower);
            }
        }
        (best, width)
    }

    fn place(&mut self, paragraph: Paragraph, (offset, width): (f32, f32), role: Role) {
        let at = Point::from_xy(self.left(offset, width), self.y);
        self.y += paragraph.height();
        self.plan.texts.push(Placed { paragraph, at, role });
    }

    /// Left edge of a column: pages of right-to-left languages are the mirror image.
    fn left(&self, offset: f32, width: f32) -> f32 {
        if self.rtl { PAGE.0 - MARGIN - offset - width } else { MARGIN + offset }
    }
}

pub(super) fn black() -> rgb::Color {
    rgb::Color::new(24, 24, 27)
}

pub(super) fn grey() -> rgb::Color {
    rgb::Color::new(82, 82, 91)
}

/// Relative luminance (WCAG 2.2), 0 for black to 1 for white.
fn luminance(colour: [u8; 3]) -> f32 {
    let [red, green, blue] = colour.map(|part| {
        let part = f32::from(part) / 255.0;
        if part <= 0.040_45 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

/// The accent, darkened until small text in it has a contrast of 4.5 to 1 on white (WCAG 1.4.3).
pub(super) fn readable_on_white(accent: [u8; 3]) -> rgb::Color {
    let mut colour = accent;
    while luminance(colour) > 0.18 {
        colour = colour.map(|part| part.saturating_sub((part / 16).max(1)));
    }
    let [red, green, blue] = colour;
    rgb::Color::new(red, green, blue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_accent_becomes_readable() {
        for accent in [[255, 255, 255], [255, 230, 0], [0, 0, 0], [130, 40, 200]] {
            let ink = readable_on_white(accent);
            let contrast = 1.05 / (luminance([ink.red(), ink.green(), ink.blue()]) + 0.05);
            assert!(contrast >= 4.5, "{accent:?}: {contrast}");
        }
    }
}
