//! Printed links: an address with few modules in the place of a token. It only names a ticket; what
//! the ticket is, the server says.

use crate::id::TicketId;

/// Between the server's address and the ticket's short name.
const PATH: &str = "/T/";

/// The text of a link: capital letters and digits only, for the QR's compact mode. Addresses of
/// hosts have no case, and the server answers to this path in either.
pub fn text(server: &str, number: u64) -> String {
    let name = TicketId(number).to_string().replace('-', "");
    format!("{}{PATH}{name}", server.trim_end_matches('/').to_ascii_uppercase())
}

/// The number that a link names; none when the text is no link or its check character is wrong.
pub fn number(text: &str) -> Option<u64> {
    let upper = text.trim().to_ascii_uppercase();
    let rest = upper.strip_prefix("HTTPS://").or_else(|| upper.strip_prefix("HTTP://"))?;
    let (_, name) = rest.split_once(PATH)?;
    name_number(name)
}

/// The number behind the short name alone.
pub fn name_number(name: &str) -> Option<u64> {
    TicketId::parse_number(name).map(|id| id.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_link_reads_back_in_any_case(link: u64) {
            let text = text("https://gate.example", link);
            prop_assert_eq!(number(&text), Some(link));
            prop_assert_eq!(number(&text.to_lowercase()), Some(link));
            prop_assert!(text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || "/:.".contains(c)));
        }
    }

    #[test]
    fn a_token_is_no_link() {
        assert_eq!(number("A1:ABC"), None);
    }
}
