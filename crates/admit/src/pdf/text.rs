//! Text of any script on a PDF page: font fallback, shaping, reading direction, line breaks.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::Arc;

use krilla::color::rgb;
use krilla::geom::Point;
use krilla::num::NormalizedF32;
use krilla::paint::{Fill, Stroke};
use krilla::surface::Surface;
use krilla::text::{Font, GlyphId, KrillaGlyph};
use parley::fontique::{Blob, Collection, CollectionOptions, SourceCache};
use parley::style::{FontFamily, FontFamilyName, FontWeight, GenericFamily};
use parley::{
    Alignment, AlignmentOptions, Cluster, FontContext, Language, Layout, LayoutContext, LineHeight,
    OverflowWrap, Run, StyleProperty,
};

/// Stroke added round the glyphs of scripts that are shipped in one weight only, as a share of the
/// font size, where bold is asked for.
const EMBOLDEN: f32 = 0.022;

/// Why the fonts cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FontError {
    /// No font was given: the web build, which brings them, has not run.
    #[error("no fonts: run the web build, which puts them into web/dist/fonts")]
    Missing,
    /// A file of the set is not there.
    #[error("font {0} is missing: run the web build, which puts it into web/dist/fonts")]
    MissingFile(String),
    /// A file is no TrueType or OpenType font.
    #[error("{0} is not a font that can be read")]
    Unreadable(String),
}

/// The fonts that pages may use. Built once at start; cheap to share between threads.
///
/// Only names and character maps are looked at here; glyphs are read when a page needs them, so
/// that fonts inside the binary cost no memory until then.
pub struct FontLibrary {
    fonts: FontContext,
    families: Vec<String>,
}

impl FontLibrary {
    /// Takes font files as (file name, bytes), the preferred ones first: a character is drawn with
    /// the first font that has it. A file with `Emoji` in its name serves emoji.
    ///
    /// # Errors
    /// [`FontError`] when there is no font or one cannot be read.
    pub fn new(files: Vec<(String, Cow<'static, [u8]>)>) -> Result<Self, FontError> {
        let options = CollectionOptions { shared: false, system_fonts: false };
        let mut collection = Collection::new(options);
        let mut families: Vec<String> = Vec::new();
        for (name, bytes) in files {
            let registered = collection.register_fonts(Blob::new(Arc::new(bytes)), None);
            let Some(&(family, _)) = registered.first() else {
                return Err(FontError::Unreadable(name));
            };
            if name.contains("Emoji") {
                collection.set_generic_families(GenericFamily::Emoji, std::iter::once(family));
            }
            let family = collection.family_name(family).unwrap_or(&name).to_owned();
            if !families.contains(&family) {
                families.push(family);
            }
        }
        if families.is_empty() {
            return Err(FontError::Missing);
        }
        let fonts = FontContext { collection, source_cache: SourceCache::default() };
        Ok(Self { fonts, families })
    }
}

/// How a paragraph looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    /// Font size in points.
    pub(super) size: f32,
    pub(super) bold: bool,
    pub(super) colour: rgb::Color,
    pub(super) align: Alignment,
    /// Extra space between letters as a share of the size; only for alphabetic capitals.
    pub(super) tracking: f32,
}

/// Text laid out at a width, ready to be drawn.
pub(super) struct Paragraph {
    text: String,
    layout: Layout<()>,
    style: Style,
}

impl Paragraph {
    /// Height in points of all lines.
    pub(super) fn height(&self) -> f32 {
        self.layout.height()
    }

    /// The words as drawn, in the order of reading.
    #[cfg(test)]
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether every glyph comes from a font.
    #[cfg(test)]
    pub(super) fn is_covered(&self) -> bool {
        uncovered(&self.layout).is_empty()
    }

    /// How many lines the text took.
    pub(super) fn lines(&self) -> usize {
        self.layout.len()
    }
}

/// Lays text out and draws it; lives for one document, as that is how long its font handles do.
pub(super) struct Shaper {
    fonts: FontContext,
    scratch: LayoutContext<()>,
    families: FontFamily<'static>,
    locale: Option<Language>,
    handles: HashMap<u64, Font>,
}

impl Shaper {
    /// `lang` (BCP 47) chooses between regional shapes of letters where a font has them.
    pub(super) fn new(library: &FontLibrary, lang: &str) -> Self {
        let names: Vec<_> = library
            .families
            .iter()
            .map(|name| FontFamilyName::Named(Cow::Owned(name.clone())))
            .collect();
        Self {
            fonts: library.fonts.clone(),
            scratch: LayoutContext::new(),
            families: FontFamily::List(Cow::Owned(names)),
            locale: Language::parse(lang).ok(),
            handles: HashMap::new(),
        }
    }

    /// Lays `text` out in lines no wider than `width` points.
    ///
    /// What no font has is written as `[U+12345]`: a person can then see that something is there
    /// and read it to staff, where an empty box would say nothing.
    pub(super) fn paragraph(&mut self, text: &str, style: Style, width: f32) -> Paragraph {
        let text = plain(text);
        let layout = self.lay_out(&text, style, width);
        let uncovered = uncovered(&layout);
        if uncovered.is_empty() {
            return Paragraph { text, layout, style };
        }
        let text = spell_out(&text, &uncovered);
        let layout = self.lay_out(&text, style, width);
        Paragraph { text, layout, style }
    }

    fn lay_out(&mut self, text: &str, style: Style, width: f32) -> Layout<()> {
        let mut builder = self.scratch.ranged_builder(&mut self.fonts, text, 1.0, false);
        builder.push_default(StyleProperty::FontFamily(self.families.clone()));
        builder.push_default(StyleProperty::FontSize(style.size));
        builder.push_default(StyleProperty::LineHeight(LineHeight::FontSizeRelative(1.28)));
        builder.push_default(StyleProperty::OverflowWrap(OverflowWrap::Anywhere));
        builder.push_default(StyleProperty::Locale(self.locale));
        // Space between letters would tear joined scripts apart.
        if style.tracking > 0.0 && text.chars().all(|c| c < '\u{590}') {
            builder.push_default(StyleProperty::LetterSpacing(style.tracking * style.size));
        }
        if style.bold {
            builder.push_default(StyleProperty::FontWeight(FontWeight::BOLD));
        }
        let mut layout = builder.build(text);
        layout.break_all_lines(Some(width));
        layout.align(style.align, AlignmentOptions::default());
        layout
    }

    /// Draws a paragraph with its top left corner at (`left`, `top`).
    pub(super) fn draw(&mut self, surface: &mut Surface<'_>, what: &Paragraph, at: Point) {
        self.draw_spaced(surface, what, at, None);
    }

    /// The same with every glyph in the middle of a cell of this width, as a typewriter does: signs of
    /// several lines then stand one below the other. For a paragraph from left to right.
    pub(super) fn draw_in_cells(
        &mut self,
        surface: &mut Surface<'_>,
        what: &Paragraph,
        at: Point,
        cell: f32,
    ) {
        self.draw_spaced(surface, what, at, Some(cell));
    }

    fn draw_spaced(
        &mut self,
        surface: &mut Surface<'_>,
        what: &Paragraph,
        at: Point,
        cell: Option<f32>,
    ) {
        for line in what.layout.lines() {
            let mut x = at.x + line.metrics().offset;
            let y = at.y + line.metrics().baseline;
            for run in line.runs() {
                let (mut glyphs, mut advance) = glyphs(&run);
                if let Some(cell) = cell {
                    advance = spread(&mut glyphs, cell, run.font_size());
                }
                if let Some(font) = self.handle(&run) {
                    let bold = run.synthesis().embolden();
                    set_ink(surface, what.style.colour, bold.then_some(run.font_size()));
                    let start = Point::from_xy(x, y);
                    surface.draw_glyphs(start, &glyphs, font, &what.text, run.font_size(), false);
                }
                x += advance;
            }
        }
        surface.set_stroke(None);
    }

    fn handle(&mut self, run: &Run<'_, ()>) -> Option<Font> {
        let (data, id) = run.font().data.clone().into_raw_parts();
        if let Some(font) = self.handles.get(&id) {
            return Some(font.clone());
        }
        let font = Font::new(data.into(), run.font().index)?;
        self.handles.insert(id, font.clone());
        Some(font)
    }
}

/// Fill of text, with a stroke of the same colour where a bold font is not shipped.
fn set_ink(surface: &mut Surface<'_>, colour: rgb::Color, embolden: Option<f32>) {
    surface.set_fill(Some(Fill {
        paint: colour.into(),
        opacity: NormalizedF32::ONE,
        ..Fill::default()
    }));
    surface.set_stroke(embolden.map(|size| Stroke {
        paint: colour.into(),
        width: size * EMBOLDEN,
        ..Stroke::default()
    }));
}

/// The glyphs of a run from left to right, each with the text it stands for, and their total width.
fn glyphs(run: &Run<'_, ()>) -> (Vec<KrillaGlyph>, f32) {
    let size = run.font_size();
    let mut glyphs: Vec<KrillaGlyph> = Vec::new();
    let mut advance = 0.0;
    // Later letters of a ligature have no glyph of their own. Their text is added to the
    // ligature's, so that searching and copying find it; right to left they come before it.
    let mut pending: Option<usize> = None;
    for cluster in run.visual_clusters() {
        let range = cluster.text_range();
        if cluster.is_ligature_continuation() {
            match glyphs.last_mut() {
                Some(last) if !run.is_rtl() => last.text_range.end = range.end,
                _ => pending = Some(pending.map_or(range.end, |end| end.max(range.end))),
            }
            continue;
        }
        let range = range.start..pending.take().map_or(range.end, |end| end.max(range.end));
        for glyph in cluster.glyphs() {
            glyphs.push(KrillaGlyph::new(
                GlyphId::new(glyph.id),
                glyph.advance / size,
                glyph.x / size,
                // Parley counts downwards as screens do, PDF upwards.
                -glyph.y / size,
                0.0,
                range.clone(),
                None,
            ));
            advance += glyph.advance;
        }
    }
    (glyphs, advance)
}

/// Gives each glyph a cell of this width in points, and the glyph its middle; their total width.
fn spread(glyphs: &mut [KrillaGlyph], cell: f32, size: f32) -> f32 {
    let mut width = 0.0;
    for glyph in glyphs {
        glyph.x_offset += (cell / size - glyph.x_advance) / 2.0;
        glyph.x_advance = cell / size;
        width += cell;
    }
    width
}

/// The places of the text for which some glyph is `.notdef`, in order.
fn uncovered(layout: &Layout<()>) -> Vec<Range<usize>> {
    let clusters = layout.lines().flat_map(|line| line.runs().collect::<Vec<_>>());
    let clusters = clusters.flat_map(|run| run.clusters().collect::<Vec<Cluster<'_, ()>>>());
    let mut ranges: Vec<_> = clusters
        .filter(|cluster| cluster.glyphs().any(|glyph| glyph.id == 0))
        .map(|cluster| cluster.text_range())
        .collect();
    ranges.sort_by_key(|range| range.start);
    ranges.dedup();
    ranges
}

/// Writes the characters in `places` as code points, each isolated so that its brackets do not turn
/// round among letters that read from right to left.
fn spell_out(text: &str, places: &[Range<usize>]) -> String {
    let mut spelled = String::with_capacity(text.len() * 2);
    for (at, c) in text.char_indices() {
        if c.is_ascii() || ignorable(c) || !places.iter().any(|range| range.contains(&at)) {
            spelled.push(c);
        } else {
            // Writing to a String cannot fail.
            let _ = write!(spelled, "\u{2066}[U+{:04X}]\u{2069}", u32::from(c));
        }
    }
    spelled
}

/// One line of text without what could play tricks on a reader: controls become spaces, and
/// directional overrides, which could show a name backwards, are dropped. Direction still comes
/// from the letters and from LRM, RLM and ALM marks.
fn plain(text: &str) -> String {
    let kept: String = text
        .chars()
        .filter(|c| !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
        .map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c })
        .collect();
    kept.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// Characters that show nothing by themselves (Unicode `Default_Ignorable_Code_Point`, the common
/// part): joiners, marks of direction, selectors of a variant.
const fn ignorable(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tricks_are_taken_out_of_names() {
        assert_eq!(plain("  Ann\n\tLee\u{202e}gnp.exe\u{2066} \u{0}"), "Ann Leegnp.exe");
        assert_eq!(plain("👩\u{200d}🚀 עם\u{200f}"), "👩\u{200d}🚀 עם\u{200f}", "joiners stay");
    }

    #[test]
    fn code_points_are_spelled_out() {
        let spelled = spell_out("a\u{10000}\u{fe0f}b", std::slice::from_ref(&(1..8)));
        assert_eq!(spelled, "a\u{2066}[U+10000]\u{2069}\u{fe0f}b");
    }

    #[test]
    fn what_is_no_font_is_named() {
        let files = vec![("x.ttf".to_owned(), Cow::Borrowed(b"no font".as_slice()))];
        assert_eq!(FontLibrary::new(files).err(), Some(FontError::Unreadable("x.ttf".to_owned())));
        assert_eq!(FontLibrary::new(Vec::new()).err(), Some(FontError::Missing));
    }

    #[test]
    fn a_library_is_shared_between_threads() {
        fn shared<T: Send + Sync>() {}
        shared::<FontLibrary>();
    }
}
