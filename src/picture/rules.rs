//! Which links may be followed. Links come from outside, so a link is treated as an attempt to make
//! this machine talk to something near it: only https to public addresses, each hop anew, and the
//! address is judged again after its name was resolved. Opens no connection itself.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use url::{Host, Url};

/// How pictures may be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Plain http to a loopback address is allowed: exactly when the API's own base is loopback.
    pub allow_loopback_http: bool,
    /// Private addresses (and https to loopback) are allowed, for a media host of one's own.
    /// Link-local, metadata, multicast and reserved addresses never are.
    pub allow_private: bool,
    /// The largest file, in bytes.
    pub max_bytes: usize,
    /// How long connecting may take.
    pub connect: Duration,
    /// How long one fetch may take, all hops and the body included.
    pub total: Duration,
    /// How many fetches run at once.
    pub parallel: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            allow_loopback_http: false,
            allow_private: false,
            max_bytes: 8 * 1024 * 1024,
            connect: Duration::from_secs(3),
            total: Duration::from_secs(15),
            parallel: 16,
        }
    }
}

/// Why a link may not be followed. Carries no part of the link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breach {
    /// It is not an absolute web address.
    NotALink,
    /// It is not https (nor plain http to loopback where that is allowed).
    NotHttps,
    /// It carries a user name or a password.
    UserInfo,
    /// Its port is a low one that is not 443: some other service's.
    Port,
    /// It leads to a loopback, private, link-local, metadata or reserved address.
    Inward,
    /// It redirects off https, to nowhere, or more often than three times.
    Redirect,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotALink => "it is not a web address",
            Self::NotHttps => "it is not https",
            Self::UserInfo => "it carries a user name or password",
            Self::Port => "its port belongs to another service",
            Self::Inward => "it leads to an address inside a network",
            Self::Redirect => "it redirects too often or off https",
        })
    }
}

impl Rules {
    /// Reads a link and judges all that can be judged without asking a name server.
    pub(super) fn check(&self, text: &str) -> Result<Url, Breach> {
        let url = Url::parse(text).map_err(|_| Breach::NotALink)?;
        self.check_url(&url)?;
        Ok(url)
    }

    /// The next hop of a redirect, judged by the same rules and by where it comes from.
    pub(super) fn next_hop(&self, from: &Url, location: &str) -> Result<Url, Breach> {
        let url = from.join(location).map_err(|_| Breach::Redirect)?;
        if from.scheme() == "https" && url.scheme() != "https" {
            return Err(Breach::Redirect);
        }
        self.check_url(&url)?;
        Ok(url)
    }

    fn check_url(&self, url: &Url) -> Result<(), Breach> {
        let host = url.host().ok_or(Breach::NotALink)?;
        // The parser has already turned decimal, octal and full-width hosts into addresses.
        let address = match host {
            Host::Ipv4(ip) => Some(IpAddr::V4(ip)),
            Host::Ipv6(ip) => Some(IpAddr::V6(ip)),
            Host::Domain(_) => None,
        };
        let loopback = match host {
            Host::Domain(name) => is_localhost(name),
            Host::Ipv4(_) | Host::Ipv6(_) => address.is_some_and(|ip| reach(ip) == Reach::Loopback),
        };
        match url.scheme() {
            "https" if matches!(url.port_or_known_default(), Some(443 | 1024..)) => {}
            "https" => return Err(Breach::Port),
            "http" if self.allow_loopback_http && loopback => {}
            _ => return Err(Breach::NotHttps),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Breach::UserInfo);
        }
        if address.is_some_and(|ip| !self.admits(url.host_str().unwrap_or_default(), ip)) {
            return Err(Breach::Inward);
        }
        Ok(())
    }

    /// Whether a host (a name, or an address written out) may be reached at `ip`. Asked for every
    /// address a name resolves to, so that a name which changes its mind gains nothing.
    pub(super) fn admits(&self, host: &str, ip: IpAddr) -> bool {
        let reach = reach(ip);
        if is_localhost(host) && reach != Reach::Loopback {
            return false;
        }
        match reach {
            Reach::Public => true,
            Reach::Private => self.allow_private,
            Reach::Loopback => {
                // Only a host that says it is loopback: another name that resolves there is a trick.
                let says_so =
                    is_localhost(host) || host.parse::<IpAddr>().is_ok() || host.starts_with('[');
                self.allow_private || (self.allow_loopback_http && says_so)
            }
            Reach::Never => false,
        }
    }
}

fn is_localhost(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost")
}

/// How far an address reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Public,
    Private,
    Loopback,
    /// No picture ever lives there: link-local (and with it the metadata services), multicast,
    /// reserved, documentation, tunnels that hide another address.
    Never,
}

fn reach(ip: IpAddr) -> Reach {
    match ip.to_canonical() {
        IpAddr::V4(ip) => reach_v4(ip),
        IpAddr::V6(ip) => reach_v6(ip),
    }
}

/// By the IANA registry of special-purpose IPv4 addresses, plus two metadata services that sit
/// outside it (100.100.100.200 and 168.63.129.16).
fn reach_v4(ip: Ipv4Addr) -> Reach {
    match ip.octets() {
        [127, ..] => Reach::Loopback,
        [100, 100, 100, 200] | [168, 63, 129, 16] => Reach::Never,
        [10, ..] | [192, 168, ..] | [172, 16..=31, ..] | [100, 64..=127, ..] => Reach::Private,
        [0, ..] | [169, 254, ..] | [224..=255, ..] => Reach::Never,
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 18 | 19, ..] => Reach::Never,
        [198, 51, 100, _] | [203, 0, 113, _] => Reach::Never,
        _ => Reach::Public,
    }
}

/// By the IANA registry of special-purpose IPv6 addresses: what is not global unicast is refused, and
/// so are 6to4 and Teredo; NAT64 is judged by the address inside it.
fn reach_v6(ip: Ipv6Addr) -> Reach {
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Reach::Loopback,
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            match reach_v4(Ipv4Addr::new(a, b, c, d)) {
                Reach::Public => Reach::Public,
                Reach::Private | Reach::Loopback | Reach::Never => Reach::Never,
            }
        }
        [0xfd00, 0x0ec2, ..] => Reach::Never,
        [0xfc00..=0xfdff, ..] => Reach::Private,
        [0x2002, ..] | [0x2001, 0 | 0x0db8, ..] => Reach::Never,
        [0x2000..=0x3fff, ..] => Reach::Public,
        _ => Reach::Never,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(rules: &Rules, link: &str) -> Result<(), Breach> {
        rules.check(link).map(|_| ())
    }

    #[test]
    fn links_that_may_be_followed_and_links_that_may_not() {
        let rules = Rules::default();
        let table = [
            ("https://media.example/face.jpg?X-Amz-Expires=3600", Ok(())),
            ("https://media.example:8443/face", Ok(())),
            ("https://8.8.8.8/face", Ok(())),
            ("https://[2606:4700::1111]/face", Ok(())),
            ("HTTPS://MEDIA.EXAMPLE/face", Ok(())),
            ("http://media.example/face", Err(Breach::NotHttps)),
            ("http://127.0.0.1:9000/face", Err(Breach::NotHttps)),
            ("ftp://media.example/face", Err(Breach::NotHttps)),
            ("file:///etc/passwd", Err(Breach::NotALink)),
            ("data:image/png;base64,AAAA", Err(Breach::NotALink)),
            ("javascript:alert(1)", Err(Breach::NotALink)),
            ("/internal/storage/face.jpg", Err(Breach::NotALink)),
            ("", Err(Breach::NotALink)),
            ("https://", Err(Breach::NotALink)),
            ("https://key@media.example/face", Err(Breach::UserInfo)),
            ("https://media.example:pw@127.0.0.1/face", Err(Breach::UserInfo)),
            ("https://:pw@media.example/face", Err(Breach::UserInfo)),
            ("https://media.example:22/face", Err(Breach::Port)),
            ("https://media.example:80/face", Err(Breach::Port)),
            ("https://media.example:0/face", Err(Breach::Port)),
            ("https://127.0.0.1/face", Err(Breach::Inward)),
            ("https://2130706433/face", Err(Breach::Inward)),
            ("https://0x7f.1/face", Err(Breach::Inward)),
            ("https://0177.0.0.1/face", Err(Breach::Inward)),
            ("https://①②⑦.⓪.⓪.①/face", Err(Breach::Inward)),
            ("https://0.0.0.0/face", Err(Breach::Inward)),
            ("https://10.1.2.3/face", Err(Breach::Inward)),
            ("https://172.31.0.1/face", Err(Breach::Inward)),
            ("https://192.168.1.1/face", Err(Breach::Inward)),
            ("https://100.64.0.1/face", Err(Breach::Inward)),
            ("https://100.100.100.200/latest/meta-data", Err(Breach::Inward)),
            ("https://169.254.169.254/latest/meta-data", Err(Breach::Inward)),
            ("https://224.0.0.1/face", Err(Breach::Inward)),
            ("https://255.255.255.255/face", Err(Breach::Inward)),
            ("https://[::]/face", Err(Breach::Inward)),
            ("https://[::1]/face", Err(Breach::Inward)),
            ("https://[::ffff:127.0.0.1]/face", Err(Breach::Inward)),
            ("https://[::ffff:a9fe:a9fe]/face", Err(Breach::Inward)),
            ("https://[::127.0.0.1]/face", Err(Breach::Inward)),
            ("https://[64:ff9b::7f00:1]/face", Err(Breach::Inward)),
            ("https://[64:ff9b::808:808]/face", Ok(())),
            ("https://[fe80::1]/face", Err(Breach::Inward)),
            ("https://[fd12:3456::1]/face", Err(Breach::Inward)),
            ("https://[fd00:ec2::254]/face", Err(Breach::Inward)),
            ("https://[2002:7f00:1::]/face", Err(Breach::Inward)),
            ("https://[ff02::1]/face", Err(Breach::Inward)),
        ];
        for (link, wanted) in table {
            assert_eq!(judged(&rules, link), wanted, "{link}");
        }
    }

    #[test]
    fn plain_http_is_for_loopback_only_and_only_where_allowed() {
        let rules = Rules { allow_loopback_http: true, ..Rules::default() };
        for link in ["http://127.0.0.1:8080/f", "http://localhost:99/f", "http://[::1]:8080/f"] {
            assert_eq!(judged(&rules, link), Ok(()), "{link}");
        }
        for link in
            ["http://10.0.0.1/f", "http://media.example/f", "http://localhost.evil.example/f"]
        {
            assert_eq!(judged(&rules, link), Err(Breach::NotHttps), "{link}");
        }
        let metadata = "https://169.254.169.254/f";
        assert_eq!(judged(&rules, metadata), Err(Breach::Inward));
    }

    #[test]
    fn private_addresses_need_leave_and_metadata_gets_none() {
        let rules = Rules { allow_private: true, ..Rules::default() };
        for link in ["https://10.0.0.1/f", "https://[fd12::1]/f", "https://127.0.0.1:9000/f"] {
            assert_eq!(judged(&rules, link), Ok(()), "{link}");
        }
        for link in
            ["https://169.254.169.254/f", "https://[fe80::1]/f", "https://[fd00:ec2::254]/f"]
        {
            assert_eq!(judged(&rules, link), Err(Breach::Inward), "{link}");
        }
        assert_eq!(judged(&rules, "http://10.0.0.1/f"), Err(Breach::NotHttps));
    }

    #[test]
    fn a_name_is_judged_by_where_it_leads() {
        let loopback: IpAddr = [127, 0, 0, 1].into();
        let public: IpAddr = [93, 184, 215, 14].into();
        let open = Rules { allow_loopback_http: true, ..Rules::default() };
        assert!(open.admits("localhost", loopback));
        assert!(!open.admits("localhost", public), "localhost over plain http stays here");
        assert!(!open.admits("rebind.example", loopback));
        assert!(open.admits("media.example", public));
        assert!(!Rules::default().admits("localhost", loopback));
        assert!(!Rules::default().admits("rebind.example", [10, 0, 0, 1].into()));
    }

    #[test]
    fn every_hop_is_judged_again() {
        let rules = Rules { allow_loopback_http: true, ..Rules::default() };
        let secure = Url::parse("https://media.example/a/b").unwrap();
        let plain = Url::parse("http://127.0.0.1:1/a").unwrap();
        let hop = |from: &Url, to: &str| rules.next_hop(from, to).map(|u| u.to_string());
        assert_eq!(hop(&secure, "/c").as_deref(), Ok("https://media.example/c"));
        assert_eq!(hop(&secure, "//cdn.example/c").as_deref(), Ok("https://cdn.example/c"));
        assert_eq!(hop(&plain, "https://media.example/").as_deref(), Ok("https://media.example/"));
        assert_eq!(hop(&secure, "http://127.0.0.1:1/"), Err(Breach::Redirect));
        assert_eq!(hop(&secure, "file:///etc/passwd"), Err(Breach::Redirect));
        assert_eq!(hop(&secure, "https://169.254.169.254/"), Err(Breach::Inward));
        assert_eq!(hop(&secure, "https://key:pw@media.example/"), Err(Breach::UserInfo));
        assert_eq!(hop(&plain, "http://169.254.169.254/"), Err(Breach::NotHttps));
    }
}
