//! Whole tickets: one page, right text, no empty boxes, the same bytes each time.
//!
//! They need the fonts of the web build; without them they say so and pass, as the Rust build must
//! not wait for the web. CI runs them after the web build.

use super::*;

/// Writes the PDFs into this folder too, for people to look at.
const KEEP: &str = "ADMIT_KEEP_PDF";

fn library() -> Option<FontLibrary> {
    let library = crate::fonts::embedded().ok();
    if library.is_none() {
        assert!(std::env::var_os("CI").is_none(), "CI builds the web first");
    }
    library
}

fn fact(label: &str, value: &str) -> Fact {
    Fact { label: label.to_owned(), value: value.to_owned() }
}

fn english(name: &str) -> TicketPage {
    TicketPage {
        lang: "en".to_owned(),
        heading: "TICKET".to_owned(),
        event: "Midwinter Festival of Light and Sound".to_owned(),
        venue: "Old Harbour Hall · Quay Street 12, Rotterdam".to_owned(),
        holder: Some(fact("Name", name)),
        facts: vec![
            fact("Ticket", "Standing, weekend pass"),
            fact("Doors", "Fri 15 Jan 2027, 18:30 (Europe/Amsterdam)"),
            fact("Start", "19:30"),
            fact("End", "23:00"),
            fact("Gates", "North, East"),
        ],
        number: "K7QF-2M4X-9P".to_owned(),
        code: format!("A1:{}", "6BF+70R9:$".repeat(14).get(..134).unwrap()),
        code_label: "Ticket code; show it at the gate".to_owned(),
        how_to_heading: "How to use this ticket".to_owned(),
        how_to: vec![
            "Show the code at the gate, on paper or on your phone.".to_owned(),
            "It lets in one person, once. Whoever shows it first gets in: keep it to yourself."
                .to_owned(),
            "If the code does not scan, read the number below it to the staff.".to_owned(),
        ],
        footer: "Light & Sound Foundation · tickets@lightsound.example".to_owned(),
        accent: [67, 56, 202],
    }
}

fn arabic() -> TicketPage {
    TicketPage {
        lang: "ar".to_owned(),
        heading: "تذكرة".to_owned(),
        event: "مهرجان الضوء والصوت الشتوي".to_owned(),
        venue: "قاعة الميناء القديم، شارع الرصيف 12".to_owned(),
        holder: Some(fact("الاسم", "محمد بن عبد الله الأنصاري")),
        facts: vec![
            fact("نوع التذكرة", "وقوف، عطلة نهاية الأسبوع"),
            fact("فتح الأبواب", "الجمعة 15 يناير 2027، 18:30 (Asia/Riyadh)"),
            fact("البوابات", "الشمالية، North B2"),
        ],
        how_to_heading: "كيفية استخدام هذه التذكرة".to_owned(),
        how_to: vec![
            "أظهر الرمز عند البوابة، على الورق أو على هاتفك.".to_owned(),
            "تسمح بدخول شخص واحد مرة واحدة.".to_owned(),
        ],
        footer: "مؤسسة الضوء والصوت · tickets@lightsound.example".to_owned(),
        accent: [250, 204, 21],
        ..english("")
    }
}

fn make(fonts: &FontLibrary, name: &str, page: &TicketPage) -> Vec<u8> {
    let pdf = ticket_pdf(fonts, page).unwrap();
    if let Some(folder) = std::env::var_os(KEEP) {
        std::fs::write(std::path::Path::new(&folder).join(format!("{name}.pdf")), &pdf).unwrap();
    }
    pdf
}

fn count(haystack: &[u8], needle: &str) -> usize {
    haystack.windows(needle.len()).filter(|window| *window == needle.as_bytes()).count()
}

#[test]
fn names_of_every_script_make_one_small_page() {
    let Some(fonts) = library() else { return };
    let names = [
        ("latin", "Zoë Straße-Łukasiewicz"),
        ("vietnamese", "Nguyễn Thị Ngọc Hưởng"),
        ("vietnamese-decomposed", "Nguye\u{302}\u{303}n Thi\u{323} Ngo\u{323}c"),
        ("greek", "Ελένη Παπαδοπούλου"),
        ("cyrillic", "Володимир Їжакевич"),
        ("hebrew", "שָׁלוֹם כהן־לוי"),
        ("chinese", "欧阳娜娜 · 臺灣 鬱龍"),
        ("japanese", "高橋 さくら・ジョン"),
        ("korean", "김철수 뷁 홍길동"),
        ("thai", "สมชาย ใจดี กิ๊ก น้ำผึ้ง"),
        ("devanagari", "श्रीकृष्ण क्षत्रिय"),
        ("emoji", "Ann 🎟️🎉 👩‍🚀 🇳🇱 👍🏽 1️⃣ Lee ©"),
        ("mixed", "Dr. محمد Smith (דוד) 3rd"),
    ];
    for (file, name) in names {
        let pdf = make(&fonts, file, &english(name));
        assert_eq!(count(&pdf, "/Type/Page/") + count(&pdf, "/Type /Page\n"), 1, "{file}");
        assert!(count(&pdf, "/ToUnicode") >= 1, "{file}: text can be searched");
        assert!(pdf.len() < 150_000, "{file}: only glyphs used are embedded, {}", pdf.len());
    }
    make(&fonts, "arabic-page", &arabic());
}

#[test]
fn long_names_and_unknown_characters_still_fit() {
    let Some(fonts) = library() else { return };
    let words = "Maximiliana Wolfeschlegelsteinhausenbergerdorff ".repeat(5);
    let words: String = words.chars().take(200).collect();
    make(&fonts, "long-words", &english(&words));
    make(&fonts, "long-unbroken", &english(&"W".repeat(200)));
    make(&fonts, "long-chinese", &english(&"龍".repeat(200)));
    make(&fonts, "long-unknown", &english(&"\u{1F9FF}\u{12345}".repeat(100)));
    make(&fonts, "unknown", &english("Enkidu \u{12345}\u{1E8D0} of Uruk"));
    make(&fonts, "unknown-rtl", &english("محمد \u{12345} علي"));
    let mut all = english(&"W".repeat(200));
    all.event = "Wide Event ".repeat(18);
    all.facts = vec![fact("Label", &"long value ".repeat(12)); 8];
    make(&fonts, "everything-long", &all);
    all.how_to = vec!["W".repeat(MAX_TEXT); MAX_LINES];
    assert_eq!(ticket_pdf(&fonts, &all), Err(PdfError::DoesNotFit));
}

#[test]
fn no_glyph_is_an_empty_box() {
    let Some(fonts) = library() else { return };
    let mut shaper = text::Shaper::new(&fonts, "en");
    let colour = krilla::color::rgb::Color::black();
    let align = parley::Alignment::Left;
    let style = text::Style { size: 12.0, bold: true, colour, align, tracking: 0.1 };
    let mut seen = 0;
    // Every assigned and unassigned character of the planes in use, private ones too, each alone
    // and between others.
    let all = ('\u{20}'..='\u{323af}').chain('\u{e0100}'..='\u{e01ff}').chain(['\u{10ffff}']);
    for chunk in all.step_by(37).collect::<Vec<_>>().chunks(64) {
        let chunk: String = chunk.iter().flat_map(|&c| ['a', ' ', c]).collect();
        let paragraph = shaper.paragraph(&chunk, style, 500.0);
        assert!(paragraph.is_covered(), "{chunk:?} became {:?}", paragraph.text());
        seen += 1;
    }
    assert!(seen > 50);
}

#[test]
fn the_same_page_gives_the_same_bytes_and_tells_no_name() {
    let Some(fonts) = library() else { return };
    let page = english("Zoë Lefèvre 欧阳");
    let pdf = make(&fonts, "same", &page);
    assert_eq!(pdf, make(&fonts, "same", &page));
    for secret in ["Lefèvre", "Zoë", page.code.as_str(), "K7QF"] {
        assert_eq!(count(&pdf, secret), 0, "{secret} outside the page's compressed content");
    }
    assert!(count(&pdf, "Midwinter Festival") >= 1, "the title is readable");
}

#[test]
fn too_long_is_an_error_and_not_a_cut() {
    let Some(fonts) = library() else { return };
    let mut page = english(&"x".repeat(MAX_TEXT + 1));
    assert_eq!(ticket_pdf(&fonts, &page), Err(PdfError::TooLong("a fact")));
    page = english("x");
    page.code = "x".repeat(5000);
    assert_eq!(ticket_pdf(&fonts, &page), Err(PdfError::Qr(QrError::TooLong)));
}

#[test]
fn pages_turn_round_for_languages_written_from_the_right() {
    let rtl = ["ar", "he-IL", "fa", "ur-PK", "az-Arab-IR", "uz_Arab"];
    assert!(rtl.iter().all(|lang| is_rtl(lang)));
    assert!(["en", "ar-Latn", "zh-Hans", "", "pa-IN"].iter().all(|lang| !is_rtl(lang)));
}
