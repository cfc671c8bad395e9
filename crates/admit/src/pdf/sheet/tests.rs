//! Sheets as a printer and a phone see them: read back by tools that others wrote.
//!
//! Like the tests of tickets they need the fonts of the web build, and poppler for reading; without
//! them they say so and pass. CI has both.

use std::io::Write as _;
use std::process::{Command, Stdio};

use admit_core::voucher::{RANDOM_BYTES, VoucherCode};

use super::*;

/// Writes the PDFs into this folder too, for people to look at.
const KEEP: &str = "ADMIT_KEEP_PDF";
/// Dots per inch at which codes are read.
const DPI: u16 = 300;

fn library() -> Option<FontLibrary> {
    let library = crate::fonts::embedded().ok();
    if library.is_none() {
        assert!(std::env::var_os("CI").is_none(), "CI builds the web first");
    }
    library
}

/// Different codes, the same in every run.
fn cards(number: u8) -> Vec<Card> {
    let code = |nth: u8| {
        let bytes: Vec<u8> = (0..)
            .map(|at: u8| at.wrapping_mul(89).wrapping_add(nth.wrapping_mul(37)))
            .take(RANDOM_BYTES)
            .collect();
        VoucherCode::from_random(&bytes).unwrap().to_string()
    };
    (0..number).map(|nth| Card { code: code(nth), qr: code(nth) }).collect()
}

fn english(number: u8) -> VoucherSheet {
    VoucherSheet {
        lang: "en".to_owned(),
        event: "River Night".to_owned(),
        ticket: "Day ticket".to_owned(),
        label: "Volunteers".to_owned(),
        how_to:
            "Open this address on your phone, then type the code or scan it: it becomes a ticket \
                 that nobody can trace to you."
                .to_owned(),
        address: "tickets.river-night.example/ticket".to_owned(),
        expiry: Some(Fact {
            label: "Valid until".to_owned(),
            value: "Tue 1 Dec 2026, 22:00 (Europe/Berlin)".to_owned(),
        }),
        code_label: "Voucher code".to_owned(),
        accent: [67, 56, 202],
        cards: cards(number),
    }
}

fn arabic(number: u8) -> VoucherSheet {
    VoucherSheet {
        lang: "ar".to_owned(),
        event: "مهرجان الضوء والصوت الشتوي".to_owned(),
        ticket: "تذكرة يوم واحد".to_owned(),
        label: "المتطوعون".to_owned(),
        how_to: "افتح هذا العنوان على هاتفك ثم اكتب الرمز أو امسحه ضوئيًا.".to_owned(),
        expiry: Some(Fact {
            label: "صالح حتى".to_owned(),
            value: "الثلاثاء 1 ديسمبر 2026، 22:00 (Asia/Riyadh)".to_owned(),
        }),
        accent: [250, 204, 21],
        ..english(number)
    }
}

fn make(fonts: &FontLibrary, name: &str, sheet: &VoucherSheet) -> Vec<u8> {
    let pdf = voucher_sheet_pdf(fonts, sheet).unwrap();
    if let Some(folder) = std::env::var_os(KEEP) {
        std::fs::write(std::path::Path::new(&folder).join(format!("{name}.pdf")), &pdf).unwrap();
    }
    pdf
}

/// What a tool of poppler makes of a PDF; none when it is not installed.
fn poppler(tool: &str, arguments: &[&str], pdf: &[u8]) -> Option<Vec<u8>> {
    let started = Command::new(tool)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut process) = started else {
        assert!(std::env::var_os("CI").is_none(), "{tool} is not installed");
        return None;
    };
    process.stdin.take().unwrap().write_all(pdf).unwrap();
    let done = process.wait_with_output().unwrap();
    assert!(done.status.success(), "{tool} refuses the PDF");
    Some(done.stdout)
}

/// The words of a PDF, without the spaces and line ends between them.
fn read_text(pdf: &[u8]) -> Option<String> {
    let text = String::from_utf8(poppler("pdftotext", &["-raw", "-", "-"], pdf)?).unwrap();
    Some(text.split_whitespace().collect())
}

/// What the QR codes of the first page say, card by card, as a phone sees one at a time.
fn read_symbols(pdf: &[u8]) -> Option<Vec<String>> {
    let dpi = DPI.to_string();
    let image = poppler("pdftoppm", &["-gray", "-r", &dpi, "-f", "1", "-l", "1", "-"], pdf)?;
    // A PGM: `P5`, width and height, the largest value, and the pixels.
    let mut parts = image.splitn(4, |byte| *byte == b'\n');
    assert_eq!(parts.next(), Some(b"P5".as_slice()));
    let size = std::str::from_utf8(parts.next().unwrap()).unwrap();
    let row: usize = size.split_once(' ').unwrap().0.parse().unwrap();
    let pixels = parts.nth(1).unwrap();
    let read = |nth| {
        let (left, top) = (dots(corner(nth).x), dots(corner(nth).y));
        let pixel = |x: usize, y: usize| pixels[(top + y) * row + left + x];
        let (width, height) = (dots(CARD.0), dots(CARD.1));
        let mut seen = rqrr::PreparedImage::prepare_from_greyscale(width, height, pixel);
        let grids = seen.detect_grids();
        assert_eq!(grids.len(), 1, "card {nth} has one symbol");
        grids[0].decode().unwrap().1
    };
    Some((0..CARDS_OF_PAGE).map(read).collect())
}

/// A length of the page in pixels.
fn dots(points: f32) -> usize {
    usize::from(format!("{:.0}", points * f32::from(DPI) / 72.0).parse::<u16>().unwrap())
}

fn wanted(sheet: &VoucherSheet) -> Vec<String> {
    sheet.cards.iter().map(|card| card.qr.clone()).collect()
}

#[test]
fn every_code_of_two_pages_stands_there_once() {
    let Some(fonts) = library() else { return };
    let sheet = english(13);
    let Some(text) = read_text(&make(&fonts, "vouchers", &sheet)) else { return };
    for card in &sheet.cards {
        assert_eq!(text.matches(&card.code).count(), 1, "{} in {text}", card.code);
    }
}

#[test]
fn every_card_says_what_it_is_for_where_to_go_and_until_when() {
    let Some(fonts) = library() else { return };
    let sheet = english(13);
    let Some(text) = read_text(&make(&fonts, "vouchers", &sheet)) else { return };
    let expiry = sheet.expiry.unwrap();
    for said in [sheet.event, sheet.ticket, sheet.how_to, sheet.address, expiry.value] {
        let said: String = said.split_whitespace().collect();
        assert_eq!(text.matches(&said).count(), 13, "{said} in {text}");
    }
}

#[test]
fn a_phone_reads_the_code_of_every_card() {
    let Some(fonts) = library() else { return };
    let sheet = english(10);
    let Some(read) = read_symbols(&make(&fonts, "vouchers-page", &sheet)) else { return };
    assert_eq!(read, wanted(&sheet));
}

#[test]
fn a_phone_reads_a_code_that_is_a_link() {
    let Some(fonts) = library() else { return };
    let mut sheet = english(10);
    for card in &mut sheet.cards {
        card.qr = format!("https://tickets.river-night.example/ticket/#voucher={}", card.code);
    }
    let Some(read) = read_symbols(&make(&fonts, "vouchers-links", &sheet)) else { return };
    assert_eq!(read, wanted(&sheet));
}

#[test]
fn cards_of_a_language_from_the_right_are_turned_round_and_their_codes_are_not() {
    let Some(fonts) = library() else { return };
    let sheet = arabic(10);
    let pdf = make(&fonts, "vouchers-arabic", &sheet);
    let Some(text) = read_text(&pdf) else { return };
    for card in &sheet.cards {
        assert_eq!(text.matches(&card.code).count(), 1, "{} in {text}", card.code);
    }
    assert_eq!(read_symbols(&pdf), Some(wanted(&sheet)));
}

#[test]
fn names_of_any_script_and_length_fit_on_a_card() {
    let Some(fonts) = library() else { return };
    let names = [
        ("vouchers-chinese", "臺灣冬季燈光與聲音節".to_owned()),
        ("vouchers-long", "The Great Midwinter Festival of Light, Sound and Silence".to_owned()),
        ("vouchers-longest", "Wide Event ".repeat(18)),
    ];
    for (file, event) in names {
        make(&fonts, file, &VoucherSheet { event, ..english(4) });
    }
    let bare = VoucherSheet { label: String::new(), expiry: None, ..english(4) };
    make(&fonts, "vouchers-bare", &bare);
}

#[test]
fn what_is_too_long_is_an_error_and_not_a_cut() {
    let Some(fonts) = library() else { return };
    let refused = |sheet: VoucherSheet| voucher_sheet_pdf(&fonts, &sheet).unwrap_err();
    let event = "W".repeat(MAX_TEXT);
    assert_eq!(refused(VoucherSheet { event, ..english(1) }), PdfError::DoesNotFit);
    let how_to = "W".repeat(MAX_TEXT + 1);
    assert_eq!(
        refused(VoucherSheet { how_to, ..english(1) }),
        PdfError::TooLong("a text of the card")
    );
    let cards = vec![cards(1).remove(0); CARDS_MAX + 1];
    assert_eq!(
        refused(VoucherSheet { cards, ..english(1) }),
        PdfError::TooLong("the list of cards")
    );
    let cards = vec![Card { code: "2222222-22".to_owned(), qr: String::new() }];
    assert_eq!(refused(VoucherSheet { cards, ..english(1) }), PdfError::TooLong("a code"));
}

#[test]
fn a_sheet_without_cards_is_an_error() {
    let Some(fonts) = library() else { return };
    let refused = voucher_sheet_pdf(&fonts, &english(0));
    assert!(matches!(refused, Err(PdfError::Write(_))), "{refused:?}");
}

#[test]
fn the_same_sheet_gives_the_same_bytes_and_tells_no_code_outside_its_pages() {
    let Some(fonts) = library() else { return };
    let sheet = english(3);
    let pdf = make(&fonts, "vouchers-same", &sheet);
    assert_eq!(pdf, make(&fonts, "vouchers-same", &sheet));
    for card in &sheet.cards {
        let group = &card.code.as_bytes()[..6];
        assert!(!pdf.windows(6).any(|window| window == group));
    }
}

#[test]
fn debug_shows_no_code() {
    let shown = format!("{:?}", english(1));
    assert!(shown.contains("Card(…)") && !shown.contains(&english(1).cards[0].code[..6]));
}
