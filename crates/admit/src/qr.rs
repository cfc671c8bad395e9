//! QR symbols (ISO/IEC 18004) from text, as SVG for screens and mail and as characters for terminals.

use std::fmt::Write as _;

use qrcodegen::{QrCode, QrCodeEcc, QrSegment, Version};

/// Light modules around a symbol that ISO/IEC 18004 asks for, so that a camera finds its edge.
pub const QUIET_ZONE: i32 = 4;

/// How much of a symbol may be lost before it no longer reads.
///
/// The level asked for is the level made: a silent raise would make the size of a code hang on its
/// length, and the sizes promised in the design would no longer hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// About 7 %.
    Low,
    /// About 15 %: screens.
    Medium,
    /// About 25 %: paper, which gets folded.
    Quartile,
    /// About 30 %.
    High,
}

impl Level {
    const fn ecc(self) -> QrCodeEcc {
        match self {
            Self::Low => QrCodeEcc::Low,
            Self::Medium => QrCodeEcc::Medium,
            Self::Quartile => QrCodeEcc::Quartile,
            Self::High => QrCodeEcc::High,
        }
    }
}

/// Why no symbol could be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QrError {
    /// The text does not fit into version 40, the largest symbol, at the level asked for.
    #[error("the text is too long for a QR code at this level")]
    TooLong,
}

/// One QR symbol: a square of dark and light modules, without its quiet zone.
#[derive(Clone, PartialEq, Eq)]
pub struct Symbol(QrCode);

/// Says the size only: the modules are the ticket itself, which must not reach a log.
impl std::fmt::Debug for Symbol {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Symbol({0}×{0})", self.modules())
    }
}

impl Symbol {
    /// Encodes `text` in the smallest version that holds it at `level`.
    ///
    /// Text of digits only goes in numeric mode, text of `0-9A-Z $%*+-./:` (base45, for example) in
    /// alphanumeric mode, anything else as UTF-8 bytes.
    ///
    /// # Errors
    /// [`QrError::TooLong`] when no version holds the text.
    pub fn new(text: &str, level: Level) -> Result<Self, QrError> {
        let segments = QrSegment::make_segments(text);
        QrCode::encode_segments_advanced(
            &segments,
            level.ecc(),
            Version::MIN,
            Version::MAX,
            None,
            false,
        )
        .map(Self)
        .map_err(|_| QrError::TooLong)
    }

    /// Modules along one side, 21 to 177.
    #[must_use]
    pub fn modules(&self) -> i32 {
        self.0.size()
    }

    /// Whether the module in column `x`, row `y` is dark; outside the symbol all is light.
    #[must_use]
    pub fn dark(&self, x: i32, y: i32) -> bool {
        self.0.get_module(x, y)
    }

    /// The dark runs of row `y` as (first column, length): fewer shapes than one per module, and no
    /// hairlines between neighbours when a viewer smooths edges.
    pub fn runs(&self, y: i32) -> Vec<(i32, i32)> {
        let mut runs = Vec::new();
        let mut x = 0;
        while x < self.modules() {
            let length = (x..self.modules()).take_while(|&column| self.dark(column, y)).count();
            let length = i32::try_from(length).unwrap_or(0);
            if length > 0 {
                runs.push((x, length));
            }
            x += length + 1;
        }
        runs
    }
}

/// Draws a symbol as one self-contained SVG image with its quiet zone, black on white.
///
/// `title` is what a screen reader says; it is escaped here. The image has a `viewBox` and no size,
/// so that the page decides how large it is.
#[must_use]
pub fn to_svg(symbol: &Symbol, title: &str) -> String {
    let side = symbol.modules() + 2 * QUIET_ZONE;
    let mut path = String::new();
    for y in 0..symbol.modules() {
        for (x, length) in symbol.runs(y) {
            // Writing to a String cannot fail.
            let _ = write!(path, "M{},{}h{length}v1h-{length}z", x + QUIET_ZONE, y + QUIET_ZONE);
        }
    }
    format!(
        concat!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" role="img" "#,
            r#"shape-rendering="crispEdges"><title>{title}</title>"#,
            r##"<rect width="{side}" height="{side}" fill="#fff"/>"##,
            r##"<path fill="#000" d="{path}"/></svg>"##,
        ),
        side = side,
        title = escape_xml(title),
        path = path,
    )
}

/// Draws a symbol with half-block characters, two rows of modules per line of text.
///
/// Light modules are drawn and dark ones left out, as most terminals are dark; scanners read the
/// reverse too. The quiet zone is two modules here, so that version 10 fits into 80 columns.
#[must_use]
pub fn to_terminal(symbol: &Symbol) -> String {
    const EDGE: i32 = 2;
    let mut text = String::new();
    let mut y = -EDGE;
    while y < symbol.modules() + EDGE {
        for x in -EDGE..symbol.modules() + EDGE {
            // The row below the last one is not part of the symbol's frame and stays empty.
            let below = y + 1 < symbol.modules() + EDGE && !symbol.dark(x, y + 1);
            text.push(match (!symbol.dark(x, y), below) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            });
        }
        text.push('\n');
        y += 2;
    }
    text
}

/// Makes text safe inside XML; characters that XML 1.0 forbids become U+FFFD.
fn escape_xml(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\t' | '\n' | '\r' => safe.push(' '),
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A token's text is 136 base45 characters behind its prefix: see `docs/formats`.
    fn token_text() -> String {
        format!("A1:{}", "6BF+70R9:$".repeat(14).get(..134).unwrap())
    }

    #[test]
    fn a_token_fits_the_promised_size() {
        let symbol = Symbol::new(&token_text(), Level::Medium).unwrap();
        assert_eq!(symbol.modules(), 41, "version 6 at level M");
    }

    #[test]
    fn the_level_is_never_raised() {
        for (level, ecc) in [(Level::Low, QrCodeEcc::Low), (Level::Quartile, QrCodeEcc::Quartile)] {
            assert_eq!(Symbol::new("A", level).unwrap().0.error_correction_level(), ecc);
        }
    }

    #[test]
    fn the_largest_symbol_is_filled_and_no_more() {
        // ISO/IEC 18004 table 7: version 40 at L holds 4,296 alphanumeric characters.
        assert_eq!(Symbol::new(&"A".repeat(4296), Level::Low).unwrap().modules(), 177);
        assert_eq!(Symbol::new(&"A".repeat(4297), Level::Low), Err(QrError::TooLong));
    }

    #[test]
    fn runs_are_the_dark_modules() {
        let symbol = Symbol::new(&token_text(), Level::Quartile).unwrap();
        for y in 0..symbol.modules() {
            let mut row = vec![false; usize::try_from(symbol.modules()).unwrap()];
            for (x, length) in symbol.runs(y) {
                for column in x..x + length {
                    row[usize::try_from(column).unwrap()] = true;
                }
            }
            for (x, dark) in (0..).zip(row) {
                assert_eq!(dark, symbol.dark(x, y), "column {x}, row {y}");
            }
        }
    }

    #[test]
    fn svg_has_title_quiet_zone_and_one_path() {
        let symbol = Symbol::new("HELLO", Level::Medium).unwrap();
        let svg = to_svg(&symbol, "Ticket <\"A&B\">\u{1}");
        assert!(svg.contains("<title>Ticket &lt;&quot;A&amp;B&quot;&gt;\u{fffd}</title>"));
        assert!(svg.contains(r#"viewBox="0 0 29 29""#), "21 modules and 4 on each side");
        assert!(svg.contains(r#"shape-rendering="crispEdges""#));
        assert!(svg.contains(r#"d="M4,4h7v1h-7z"#), "the finder pattern begins at the quiet zone");
        assert_eq!(svg.matches("<path").count(), 1);
    }

    #[test]
    fn terminal_lines_are_as_wide_as_the_symbol() {
        let symbol = Symbol::new("HELLO", Level::Medium).unwrap();
        let text = to_terminal(&symbol);
        assert_eq!(text.lines().count(), 13, "25 rows, two per line");
        assert!(text.lines().all(|line| line.chars().count() == 25));
        assert!(text.starts_with("█████"), "quiet zone");
    }
}
