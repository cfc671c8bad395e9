//! Proxies in front of the server: which are believed when they say who asks.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use axum::http::HeaderMap;
use ipnet::IpNet;

/// A proxy adds to it whom it got the request from; the last is the nearest.
const FORWARDED_FOR: &str = "x-forwarded-for";
/// What a house or a phone gets of IPv6: whoever has one address has all of these.
const IPV6_PREFIX: u32 = 64;

/// The networks of our own proxies; none is believed that is not here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies(Arc<[IpNet]>);

impl Proxies {
    /// Those in these networks.
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks.into())
    }

    /// Who asked `peer` to ask us: the nearest address that is not one of our proxies. What stands
    /// before it in the header anybody may have written.
    pub(super) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let named = headers.get_all(FORWARDED_FOR).into_iter();
        let named = named.flat_map(|value| value.to_str().unwrap_or_default().split(','));
        let mut client = peer.to_canonical();
        for text in named.rev() {
            let told = address(text.trim()).filter(|_| self.trust(client));
            let Some(told) = told else { break };
            client = told;
        }
        client
    }

    fn trust(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse::<SocketAddr>().map(|socket| socket.ip());
    text.parse().or_else(|_| with_port()).ok().map(|address: IpAddr| address.to_canonical())
}

/// What limits are counted by: an address, of IPv6 the network that one subscriber has.
pub(super) fn subscriber(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => {
            let mask = u128::MAX << (Ipv6Addr::BITS - IPV6_PREFIX);
            IpAddr::V6(Ipv6Addr::from_bits(six.to_bits() & mask))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: &str = "10.1.0.7";

    /// Whom a request from `peer` with these headers is counted for.
    fn client(peer: &str, told: &[&str]) -> String {
        let proxies = Proxies::new(vec!["10.1.0.0/16".parse().unwrap()]);
        let mut headers = HeaderMap::new();
        for told in told {
            headers.append(FORWARDED_FOR, told.parse().unwrap());
        }
        proxies.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn a_proxy_of_ours_says_who_asks() {
        assert_eq!(client(PROXY, &["203.0.113.5"]), "203.0.113.5");
        assert_eq!(client(PROXY, &["203.0.113.5:4711"]), "203.0.113.5");
        assert_eq!(client("::ffff:10.1.0.7", &["2001:db8::1"]), "2001:db8::1");
    }

    #[test]
    fn nobody_else_is_believed() {
        assert_eq!(client("203.0.113.9", &["203.0.113.5"]), "203.0.113.9");
        assert_eq!(
            Proxies::default().client([127, 0, 0, 1].into(), &HeaderMap::new()).to_string(),
            "127.0.0.1"
        );
    }

    #[test]
    fn what_a_client_wrote_itself_does_not_count() {
        assert_eq!(client(PROXY, &["198.51.100.1, 203.0.113.5"]), "203.0.113.5");
        assert_eq!(client(PROXY, &["198.51.100.1", "203.0.113.5"]), "203.0.113.5");
        assert_eq!(client(PROXY, &["10.1.0.9, 203.0.113.5"]), "203.0.113.5");
    }

    #[test]
    fn of_several_proxies_the_first_knows_the_client() {
        assert_eq!(client(PROXY, &["203.0.113.5, 10.1.0.9"]), "203.0.113.5");
    }

    #[test]
    fn a_header_that_makes_no_sense_leaves_the_proxy() {
        assert_eq!(client(PROXY, &["unknown"]), PROXY);
        assert_eq!(client(PROXY, &[]), PROXY);
        assert_eq!(client(PROXY, &["203.0.113.5, _hidden"]), PROXY);
    }

    #[test]
    fn a_subscriber_of_ipv6_is_one_whatever_address_is_used() {
        let of = |text: &str| subscriber(text.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), of("2001:db8:1:2::9"));
        assert_ne!(of("2001:db8:1:2::9"), of("2001:db8:1:3::9"));
        assert_eq!(of("203.0.113.5"), "203.0.113.5");
    }
}
