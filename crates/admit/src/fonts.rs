//! The fonts inside the binary: put into `web/dist/fonts/` by the web build, used on paper tickets.

use rust_embed::RustEmbed;

use crate::pdf::{FontError, FontLibrary};

/// The files, the preferred font first. Han stands before Hangul because the Korean font draws Han
/// characters in Korean shapes; emoji come last because their font has digits too.
pub const FILES: [&str; 8] = [
    "NotoSans-Regular.ttf",
    "NotoSans-Bold.ttf",
    "NotoSansArabic-Regular.ttf",
    "NotoSansHebrew-Regular.ttf",
    "NotoSansThai-Regular.ttf",
    "NotoSansSC-Regular.ttf",
    "NotoSansKR-Regular.ttf",
    "NotoEmoji-Regular.ttf",
];

// The folder may be missing, so that Rust builds and tests without the web build.
#[derive(RustEmbed)]
#[folder = "../../web/dist/fonts/"]
#[allow_missing = true]
struct Embedded;

/// Loads the set; once, at start.
///
/// # Errors
/// [`FontError::MissingFile`] when the binary was built without the web build,
/// [`FontError::Unreadable`] when a file is damaged.
pub fn embedded() -> Result<FontLibrary, FontError> {
    let load = |name: &&str| {
        let file = Embedded::get(name).ok_or_else(|| FontError::MissingFile((*name).to_owned()))?;
        Ok(((*name).to_owned(), file.data))
    };
    FontLibrary::new(FILES.iter().map(load).collect::<Result<_, FontError>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_set_loads_or_says_what_is_missing() {
        match embedded() {
            Ok(_) => {}
            Err(error) => assert_eq!(error, FontError::MissingFile(FILES[0].to_owned())),
        }
    }
}
