//! Tickets on paper: one A4 page, made in this process, in any script, with a code that scans.

mod draw;
mod plan;
mod sheet;
mod text;

#[cfg(test)]
mod tests;

use krilla::Document;
use krilla::metadata::{Metadata, TextDirection};
use krilla::page::PageSettings;

use crate::qr::{Level, QrError, Symbol};

pub use sheet::{CARDS_MAX, Card, VoucherSheet, voucher_sheet_pdf};
pub use text::{FontError, FontLibrary};

/// Width and height of A4 in points. Nothing that matters lies in the outer 45 points, so that the
/// page also prints on US Letter, which is 50 points shorter.
pub(crate) const PAGE: (f32, f32) = (595.28, 841.89);

/// Most characters in any one text of a page.
pub const MAX_TEXT: usize = 500;

/// Most facts, and most lines of help, on a page.
pub const MAX_LINES: usize = 12;

/// A label and what it labels, both in the reader's language: `Doors` and `19:00 (Europe/Paris)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Short and general, shown small.
    pub label: String,
    /// What the reader looks for.
    pub value: String,
}

/// All that stands on one ticket. Every text comes ready for people: formatted, translated, times
/// with the name of their zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketPage {
    /// BCP 47 language of the texts. It turns the page round for languages written from the right.
    pub lang: String,
    /// What this paper is: `Ticket`.
    pub heading: String,
    /// The event's name; also the title of the document.
    pub event: String,
    /// Where it is; may be empty.
    pub venue: String,
    /// The attendee's display name under its label; none for anonymous tickets.
    pub holder: Option<Fact>,
    /// Ticket type, doors, start, end, gates: in the order shown, at most [`MAX_LINES`].
    pub facts: Vec<Fact>,
    /// The number that staff can type when a code does not scan; shown below the code.
    pub number: String,
    /// What the code says.
    pub code: String,
    /// What a screen reader says in place of the code; never the code itself.
    pub code_label: String,
    /// Title of the help below the tear line.
    pub how_to_heading: String,
    /// Short lines of help, at most [`MAX_LINES`].
    pub how_to: Vec<String>,
    /// The organiser's name or an address, at the foot; may be empty.
    pub footer: String,
    /// The event's colour as red, green, blue. Text on it turns black or white, as reads better.
    pub accent: [u8; 3],
}

/// Why a ticket could not be printed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PdfError {
    /// A text is longer than [`MAX_TEXT`] characters or a list than [`MAX_LINES`].
    #[error("{0} is too long for a ticket")]
    TooLong(&'static str),
    /// The texts do not fit on one page at the smallest size that can be read.
    #[error("the texts of this ticket do not fit on one page")]
    DoesNotFit,
    /// The code does not fit into a QR symbol.
    #[error(transparent)]
    Qr(#[from] QrError),
    /// The library that writes PDF refused.
    #[error("could not write the PDF: {0}")]
    Write(String),
}

/// Makes the PDF of one ticket.
///
/// The same page gives the same bytes: no time, no random identifier. Metadata hold the event's
/// name and language and nothing of the person, as mail scanners and file indexes read them. Fonts
/// are embedded with only the glyphs used. The page is tagged, so that it can be read aloud.
///
/// # Errors
/// [`PdfError`] when something is too long or does not fit; nothing is ever cut off silently.
pub fn ticket_pdf(fonts: &FontLibrary, page: &TicketPage) -> Result<Vec<u8>, PdfError> {
    check(page)?;
    // Level Q: paper gets folded and stained.
    let symbol = Symbol::new(&page.code, Level::Quartile)?;
    let mut shaper = text::Shaper::new(fonts, &page.lang);
    let plan = plan::Plan::fit(&mut shaper, page).ok_or(PdfError::DoesNotFit)?;
    let mut document = Document::new();
    document.set_metadata(metadata(&page.event, &page.lang));
    let settings = PageSettings::from_wh(PAGE.0, PAGE.1).ok_or(PdfError::DoesNotFit)?;
    let tags = {
        let mut sheet = document.start_page_with(settings);
        let mut surface = sheet.surface();
        let tags = draw::draw(&mut surface, &mut shaper, &plan, &symbol, page);
        surface.finish();
        sheet.finish();
        tags
    };
    document.set_tag_tree(tags);
    document.finish().map_err(|error| PdfError::Write(error.to_string()))
}

fn metadata(title: &str, lang: &str) -> Metadata {
    let direction =
        if is_rtl(lang) { TextDirection::RightToLeft } else { TextDirection::LeftToRight };
    Metadata::new()
        .title(title.to_owned())
        .language(lang.to_owned())
        .creator("Admit One".to_owned())
        .text_direction(direction)
}

fn check(page: &TicketPage) -> Result<(), PdfError> {
    let long = |text: &str| text.chars().nth(MAX_TEXT).is_some();
    let texts: [(&str, &'static str); 7] = [
        (&page.heading, "the heading"),
        (&page.event, "the event's name"),
        (&page.venue, "the venue"),
        (&page.number, "the ticket number"),
        (&page.code_label, "the code's label"),
        (&page.how_to_heading, "the heading of the help"),
        (&page.footer, "the footer"),
    ];
    if let Some((_, name)) = texts.iter().find(|(text, _)| long(text)) {
        return Err(PdfError::TooLong(name));
    }
    let facts = page.facts.iter().chain(&page.holder);
    if page.facts.len() > MAX_LINES || facts.into_iter().any(|f| long(&f.label) || long(&f.value)) {
        return Err(PdfError::TooLong("a fact"));
    }
    if page.how_to.len() > MAX_LINES || page.how_to.iter().any(|line| long(line)) {
        return Err(PdfError::TooLong("the help"));
    }
    Ok(())
}

/// Whether a language (BCP 47) is written from right to left: those with such a script by default
/// in CLDR, or with the script named in the tag.
fn is_rtl(lang: &str) -> bool {
    let mut parts = lang.split(['-', '_']).map(str::to_ascii_lowercase);
    let primary = parts.next().unwrap_or_default();
    match parts.next().filter(|part| part.len() == 4).as_deref() {
        Some(script) => matches!(script, "arab" | "hebr" | "thaa" | "syrc" | "nkoo" | "adlm"),
        None => matches!(
            primary.as_str(),
            "ar" | "he" | "iw" | "fa" | "ur" | "ps" | "sd" | "ug" | "yi" | "dv" | "ckb" | "syr"
        ),
    }
}
