//! Sheets of voucher cards: ten to a page of A4, with marks to cut along and a code on each.

use krilla::Document;
use krilla::color::rgb;
use krilla::geom::{PathBuilder, Point};
use krilla::page::PageSettings;
use krilla::paint::Stroke;
use krilla::surface::Surface;
use krilla::tagging::{ContentTag, SpanTag, Tag, TagGroup, TagTree};
use parley::Alignment;

use super::draw::{decoration, draw_symbol, frame};
use super::plan::{black, grey, readable_on_white};
use super::text::{Paragraph, Shaper, Style};
use super::{Fact, FontLibrary, MAX_TEXT, PAGE, PdfError, is_rtl, metadata};
use crate::qr::{Level, Symbol};

/// Most cards of one document: a hundred pages.
pub const CARDS_MAX: usize = 1000;

const COLUMNS: usize = 2;
const CARDS_OF_PAGE: usize = 10;
/// Width and height of a card: 85 by 54 mm, the size of a business card.
const CARD: (f32, f32) = (240.94, 153.07);
/// Space between what is printed and where the scissors go.
const PADDING: f32 = 13.0;
const INNER: f32 = CARD.0 - 2.0 * PADDING;
/// Where the field with the code begins, from the card's upper edge, and how high it is: one strip to
/// scratch off, of 76 by 22 mm, covers all that is secret.
const FIELD_TOP: f32 = 46.0;
const FIELD: f32 = 61.0;
/// Width of the cell of one sign, and the size of the signs.
const SIGN: (f32, f32) = (17.0, 16.0);
/// From the card's edge to the first text, from the last one to the field, and from the field on.
const HEAD_TOP: f32 = 9.0;
const GAP: f32 = 5.0;
/// Largest heights of what stands above the field and below it.
const HEAD_MAX: f32 = FIELD_TOP - HEAD_TOP - GAP;
const FOOT_MAX: f32 = CARD.1 - FIELD_TOP - FIELD - GAP - 8.0;
/// From the corner of a card to a mark outside, and the length of the marks.
const MARK_GAP: f32 = 4.0;
const MARK: f32 = 11.0;
/// Half the length of the crosses between cards.
const CROSS: f32 = 3.5;

/// One card.
#[derive(Clone, PartialEq, Eq)]
pub struct Card {
    /// The code as it is printed, in groups with hyphens; each group gets a line.
    pub code: String,
    /// What the QR code says: the code, or a link that opens the wallet with it.
    pub qr: String,
}

/// A code is worth money to whoever has it.
impl std::fmt::Debug for Card {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Card(…)")
    }
}

/// What stands on all cards of a sheet, and the cards. Texts come ready for people, as those of
/// [`super::TicketPage`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoucherSheet {
    /// BCP 47 language of the texts. It turns the cards round for languages written from the right.
    pub lang: String,
    /// The event's name; also the title of the document.
    pub event: String,
    /// What the voucher is for: the name of the ticket type.
    pub ticket: String,
    /// The organiser's own word for these vouchers, such as `Press`; may be empty.
    pub label: String,
    /// How to use it, in one sentence.
    pub how_to: String,
    /// The address to open, as people type it.
    pub address: String,
    /// Until when it is good, with the name of the zone; none when it has no end.
    pub expiry: Option<Fact>,
    /// What a screen reader says in place of the QR code.
    pub code_label: String,
    /// The event's colour as red, green, blue; darkened until it reads on white.
    pub accent: [u8; 3],
    /// The cards in the order of the pages: one at least, and at most [`CARDS_MAX`].
    pub cards: Vec<Card>,
}

/// Makes the PDF of a sheet of vouchers, ten to a page. The same sheet gives the same bytes; the
/// metadata hold the event's name and language and no code.
///
/// # Errors
/// [`PdfError`] when something is too long or does not fit; nothing is ever cut off silently.
pub fn voucher_sheet_pdf(fonts: &FontLibrary, sheet: &VoucherSheet) -> Result<Vec<u8>, PdfError> {
    check(sheet)?;
    let mut shaper = Shaper::new(fonts, &sheet.lang);
    let face = Face::fit(&mut shaper, sheet).ok_or(PdfError::DoesNotFit)?;
    let mut document = Document::new();
    document.set_metadata(metadata(&sheet.event, &sheet.lang));
    let settings = PageSettings::from_wh(PAGE.0, PAGE.1).ok_or(PdfError::DoesNotFit)?;
    let mut tags = TagTree::new();
    for cards in sheet.cards.chunks(CARDS_OF_PAGE) {
        let mut page = document.start_page_with(settings.clone());
        let mut surface = page.surface();
        decoration(&mut surface, marks);
        for (nth, card) in cards.iter().enumerate() {
            face.draw(&mut surface, &mut shaper, corner(nth), card, &mut tags)?;
        }
        surface.finish();
        page.finish();
    }
    document.set_tag_tree(tags);
    document.finish().map_err(|error| PdfError::Write(error.to_string()))
}

fn check(sheet: &VoucherSheet) -> Result<(), PdfError> {
    let long = |text: &str| text.chars().nth(MAX_TEXT).is_some();
    let expiry = sheet.expiry.iter().flat_map(|fact| [&fact.label, &fact.value]);
    let texts = [&sheet.event, &sheet.ticket, &sheet.label, &sheet.how_to, &sheet.address];
    let mut codes = sheet.cards.iter().map(|card| &card.code);
    if texts.into_iter().chain(expiry).any(|text| long(text)) {
        return Err(PdfError::TooLong("a text of the card"));
    }
    if codes.any(|code| code.split('-').count() > 3 || code.split('-').any(|group| group.len() > 6))
    {
        return Err(PdfError::TooLong("a code"));
    }
    match sheet.cards.len() {
        0 => Err(PdfError::Write("a sheet without cards has no page".to_owned())),
        1..=CARDS_MAX => Ok(()),
        _ => Err(PdfError::TooLong("the list of cards")),
    }
}

/// A paragraph, and its place from the card's upper left corner.
struct Piece {
    paragraph: Paragraph,
    at: Point,
}

/// What all cards of a sheet have in common, laid out once.
struct Face<'a> {
    sheet: &'a VoucherSheet,
    rtl: bool,
    ink: rgb::Color,
    pieces: Vec<Piece>,
}

impl<'a> Face<'a> {
    /// Tries ever smaller text until the card holds all of it. The code keeps its size.
    fn fit(shaper: &mut Shaper, sheet: &'a VoucherSheet) -> Option<Self> {
        let rtl = is_rtl(&sheet.lang);
        let ink = readable_on_white(sheet.accent);
        let mut face = Self { sheet, rtl, ink, pieces: Vec::new() };
        let scales = || [1.0, 0.92, 0.84, 0.76, 0.68, 0.6, 0.52, 0.45, 0.38].into_iter();
        let head = scales().find_map(|scale| {
            let pieces = stack(shaper, &face.head(scale), HEAD_TOP);
            (height(&pieces) <= HEAD_MAX).then_some(pieces)
        })?;
        let below = FIELD_TOP + FIELD + GAP;
        let foot = scales().take(5).find_map(|scale| {
            let pieces = stack(shaper, &face.foot(scale), below);
            (height(&pieces) <= FOOT_MAX).then_some(pieces)
        })?;
        let spare = (HEAD_MAX - height(&head)) / 2.0;
        let lowered =
            head.into_iter().map(|piece| Piece { at: shifted(piece.at, 0.0, spare), ..piece });
        face.pieces = lowered.chain(foot).collect();
        Some(face)
    }

    fn head(&self, scale: f32) -> Vec<(String, Style)> {
        let sheet = self.sheet;
        let gap = if sheet.label.is_empty() { "" } else { "  ·  " };
        vec![
            (sheet.event.clone(), self.style(14.0 * scale, true, black())),
            (
                format!("{}{gap}{}", sheet.ticket, sheet.label),
                self.style(9.0 * scale.max(0.7), true, self.ink),
            ),
        ]
    }

    fn foot(&self, scale: f32) -> Vec<(String, Style)> {
        let small = |bold, colour| self.style(6.8 * scale, bold, colour);
        let mut lines = vec![
            (self.sheet.how_to.clone(), small(false, grey())),
            (self.sheet.address.clone(), self.style(7.4 * scale, true, black())),
        ];
        if let Some(expiry) = &self.sheet.expiry {
            lines.push((format!("{} {}", expiry.label, expiry.value), small(false, grey())));
        }
        lines
    }

    fn style(&self, size: f32, bold: bool, colour: rgb::Color) -> Style {
        let align = if self.rtl { Alignment::Right } else { Alignment::Left };
        Style { size, bold, colour, align, tracking: 0.0 }
    }

    fn draw(
        &self,
        surface: &mut Surface<'_>,
        shaper: &mut Shaper,
        corner: Point,
        card: &Card,
        tags: &mut TagTree,
    ) -> Result<(), PdfError> {
        for piece in &self.pieces {
            let at = shifted(corner, piece.at.x, piece.at.y);
            spoken(surface, tags, |surface| shaper.draw(surface, &piece.paragraph, at));
        }
        decoration(surface, |surface| {
            frame(surface, shifted(corner, PADDING, FIELD_TOP), (INNER, FIELD));
        });
        self.code(surface, shaper, corner, card, tags);
        self.symbol(surface, corner, card, tags)
    }

    /// The groups of the code, each on a line of its own, opposite the symbol.
    fn code(
        &self,
        surface: &mut Surface<'_>,
        shaper: &mut Shaper,
        corner: Point,
        card: &Card,
        tags: &mut TagTree,
    ) {
        let style = Style { align: Alignment::Left, ..self.style(SIGN.1, true, black()) };
        let groups: Vec<String> = card.code.split_inclusive('-').map(str::to_owned).collect();
        let lines: Vec<_> =
            groups.iter().map(|group| shaper.paragraph(group, style, PAGE.0)).collect();
        let height: f32 = lines.iter().map(|line| line.height() * 0.9).sum();
        let left = if self.rtl { FIELD + 18.0 } else { 14.0 };
        let mut y = FIELD_TOP + (FIELD - height) / 2.0 - 1.0;
        for line in &lines {
            let at = shifted(corner, PADDING + left, y);
            spoken(surface, tags, |surface| shaper.draw_in_cells(surface, line, at, SIGN.0));
            y += line.height() * 0.9;
        }
    }

    fn symbol(
        &self,
        surface: &mut Surface<'_>,
        corner: Point,
        card: &Card,
        tags: &mut TagTree,
    ) -> Result<(), PdfError> {
        // Level Q: paper gets folded, and a coin scratches more than the cover.
        let symbol = Symbol::new(&card.qr, Level::Quartile)?;
        let left = if self.rtl { 0.0 } else { INNER - FIELD };
        let at = shifted(corner, PADDING + left, FIELD_TOP);
        let id = surface.start_tagged(ContentTag::Other);
        draw_symbol(surface, at, FIELD, &symbol);
        surface.end_tagged();
        let mut figure = TagGroup::new(Tag::Figure(Some(self.sheet.code_label.clone())));
        figure.push(id);
        tags.push(figure);
        Ok(())
    }
}

/// Sets the texts one below the other, beginning at `top`.
fn stack(shaper: &mut Shaper, texts: &[(String, Style)], top: f32) -> Vec<Piece> {
    let mut y = top;
    let mut pieces = Vec::new();
    for (text, style) in texts {
        let paragraph = shaper.paragraph(text, *style, INNER);
        let at = Point::from_xy(PADDING, y);
        y += paragraph.height();
        pieces.push(Piece { paragraph, at });
    }
    pieces
}

fn height(pieces: &[Piece]) -> f32 {
    pieces.iter().map(|piece| piece.paragraph.height()).sum()
}

/// Draws a paragraph that screen readers read.
fn spoken(surface: &mut Surface<'_>, tags: &mut TagTree, draw: impl FnOnce(&mut Surface<'_>)) {
    let mut group = TagGroup::new(Tag::P);
    group.push(surface.start_tagged(ContentTag::Span(SpanTag::empty())));
    draw(surface);
    surface.end_tagged();
    tags.push(group);
}

/// The upper left corner of the `nth` card of a page.
fn corner(nth: usize) -> Point {
    let first = edges();
    Point::from_xy(first.x + count(nth % COLUMNS) * CARD.0, first.y + count(nth / COLUMNS) * CARD.1)
}

/// The upper left corner of all cards: they stand in the middle of the page.
fn edges() -> Point {
    let (width, height) = (count(COLUMNS) * CARD.0, count(CARDS_OF_PAGE / COLUMNS) * CARD.1);
    Point::from_xy((PAGE.0 - width) / 2.0, (PAGE.1 - height) / 2.0)
}

/// Lines outside the cards, and crosses between them: nothing is left of them on a card that was
/// cut along them.
fn marks(surface: &mut Surface<'_>) {
    let first = edges();
    let (rows, last_row) = (CARDS_OF_PAGE / COLUMNS, CARDS_OF_PAGE / COLUMNS * COLUMNS);
    let foot = corner(last_row).y;
    let right = first.x + count(COLUMNS) * CARD.0;
    let mut path = PathBuilder::new();
    let mut line = |from: (f32, f32), to: (f32, f32)| {
        path.move_to(from.0, from.1);
        path.line_to(to.0, to.1);
    };
    for column in 0..=COLUMNS {
        let x = first.x + count(column) * CARD.0;
        line((x, first.y - MARK_GAP - MARK), (x, first.y - MARK_GAP));
        line((x, foot + MARK_GAP), (x, foot + MARK_GAP + MARK));
    }
    for row in 0..=rows {
        let y = first.y + count(row) * CARD.1;
        line((first.x - MARK_GAP - MARK, y), (first.x - MARK_GAP, y));
        line((right + MARK_GAP, y), (right + MARK_GAP + MARK, y));
        let between = (1..COLUMNS).filter(|_| (1..rows).contains(&row));
        for x in between.map(|column| first.x + count(column) * CARD.0) {
            line((x - CROSS, y), (x + CROSS, y));
            line((x, y - CROSS), (x, y + CROSS));
        }
    }
    let path = path.finish();
    surface.set_fill(None);
    surface.set_stroke(Some(Stroke { paint: grey().into(), width: 0.4, ..Stroke::default() }));
    if let Some(path) = path {
        surface.draw_path(&path);
    }
    surface.set_stroke(None);
}

fn shifted(from: Point, x: f32, y: f32) -> Point {
    Point::from_xy(from.x + x, from.y + y)
}

/// A count of cards or lines, at most ten, as a factor.
fn count(number: usize) -> f32 {
    u8::try_from(number).map_or(0.0, f32::from)
}

#[cfg(test)]
mod tests;
