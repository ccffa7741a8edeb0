//! Who may speak to a service that asks for no token.
//!
//! Then the loopback address is the whole of its protection, and a browser on the same machine is inside of it: a page
//! of any site may have its own name resolve to 127.0.0.1 (DNS rebinding), or post to it blindly. So the name by which a
//! request came must be a loopback one, and what changes something must not come from another site's page.

use std::net::IpAddr;

use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, Uri, header};

use super::problem::Problem;

/// Refuses what a foreign page could have asked for.
///
/// # Errors
///
/// The request is for another host, or for none, or a write from another origin.
pub(super) fn check(method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
    let mut hosts: Vec<Option<Authority>> = uri.authority().cloned().map(Some).into_iter().collect();
    hosts.extend(headers.get_all(header::HOST).iter().map(|host| host.to_str().ok()?.parse().ok()));
    if hosts.is_empty()
        || !hosts.iter().all(|host| host.as_ref().is_some_and(|host| is_loopback(host.host())))
    {
        let found = headers.get(header::HOST).map_or("", |host| host.to_str().unwrap_or("?"));
        return Err(Problem::foreign(
            "foreign_host",
            format!(
                "the request is for the host `{found}`: without `tokens` in the service file, expected a name of this \
                 machine, such as `localhost` or `127.0.0.1`"
            ),
        ));
    }
    if method.is_safe() {
        return Ok(());
    }
    let site = headers.get("sec-fetch-site").map(|site| site.as_bytes());
    let is_foreign_site = site.is_some_and(|site| !matches!(site, b"same-origin" | b"none"));
    let own: Vec<&Authority> = hosts.iter().flatten().collect();
    let is_own = |origin: &str| {
        let authority = origin.strip_prefix("http://").and_then(|rest| rest.parse::<Authority>().ok());
        authority.is_some_and(|origin| own.contains(&&origin))
    };
    let is_foreign_origin =
        headers.get_all(header::ORIGIN).iter().any(|origin| !origin.to_str().is_ok_and(is_own));
    if is_foreign_site || is_foreign_origin {
        return Err(Problem::foreign(
            "foreign_origin",
            "the request comes from another site's page: without `tokens` in the service file, expected one from this \
             machine",
        ));
    }
    Ok(())
}

/// Whether a host without its port is this machine by its own name or address.
fn is_loopback(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return address.is_loopback();
    }
    let name = bare.strip_suffix('.').unwrap_or(bare).to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn asked(method: &Method, host: &[&str], more: &[(&'static str, &str)]) -> Result<(), String> {
        let mut headers = HeaderMap::new();
        for host in host {
            headers.append(header::HOST, HeaderValue::from_str(host).unwrap());
        }
        for (name, value) in more {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        check(method, &Uri::from_static("/api/v1/silences"), &headers)
            .map_err(|problem| format!("{problem:?}"))
    }

    #[test]
    fn names_of_this_machine_are_served_and_others_are_not() {
        for host in
            ["localhost:7070", "127.0.0.1:7070", "[::1]:7070", "127.9.9.9", "LOCALHOST", "a.localhost"]
        {
            assert_eq!(asked(&Method::GET, &[host], &[]), Ok(()), "{host}");
        }
        for host in [
            "evil.example:7070",
            "10.0.0.1",
            "localhost.evil.example",
            "notlocalhost",
            "127.0.0.1.nip.example",
            "",
        ] {
            let refused = asked(&Method::GET, &[host], &[]).unwrap_err();
            assert!(refused.contains("foreign_host"), "{host}: {refused}");
        }
        assert!(asked(&Method::GET, &[], &[]).is_err());
        assert!(asked(&Method::GET, &["localhost", "evil.example"], &[]).is_err());
        let absolute = Uri::from_static("http://evil.example/api/v1/status");
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("localhost"));
        assert!(check(&Method::GET, &absolute, &headers).is_err());
    }

    #[test]
    fn writes_come_from_here_or_from_no_page_at_all() {
        let post = |more: &[(&'static str, &str)]| asked(&Method::POST, &["localhost:7070"], more);
        assert_eq!(post(&[]), Ok(()));
        assert_eq!(post(&[("origin", "http://localhost:7070"), ("sec-fetch-site", "same-origin")]), Ok(()));
        for foreign in ["http://localhost:3000", "https://evil.example", "null", "http://127.0.0.1:7070"] {
            assert!(
                post(&[("origin", foreign)]).is_err_and(|why| why.contains("foreign_origin")),
                "{foreign}"
            );
        }
        for site in ["cross-site", "same-site"] {
            assert!(post(&[("sec-fetch-site", site)]).is_err(), "{site}");
        }
        assert_eq!(asked(&Method::GET, &["localhost"], &[("origin", "https://evil.example")]), Ok(()));
    }
}
