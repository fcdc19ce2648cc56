//! Serves the lab, which is embedded in the binary, over HTTP.
//!
//! The files are those of `dist/` when the binary was compiled. A compressed sibling (`app.js.br`, `app.js.gz`) goes out
//! where the browser accepts it; names that carry a content hash may be cached for ever, all others are asked for again
//! by their ETag.

use axum::Router;
use axum::body::Body;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, Uri};
use axum::routing::get;
use rust_embed::{EmbeddedFile, RustEmbed};

/// The built lab.
#[derive(RustEmbed)]
#[folder = "../dist/"]
struct Dist;

const PAGE: &str = "index.html";

/// What the browser shows when the binary was compiled without a lab in `dist/`.
const NOT_BUILT: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Zebu</title>\
    <p>This <code>zebu</code> was compiled without the lab. Build both with <code>cargo xtask demo</code>, \
    or run <code>cargo xtask lab</code> and compile again.</p></html>";

/// The routes of the lab: every path that is no file is the page itself, so that a link into the lab can be opened.
pub fn router() -> Router {
    Router::new().fallback(get(|uri: Uri, headers: HeaderMap| async move { respond(uri.path(), &headers) }))
}

fn respond(path: &str, headers: &HeaderMap) -> Response<Body> {
    let name = path.trim_start_matches('/');
    let name = if name.is_empty() { PAGE } else { name };
    if let Some(file) = Dist::get(name) {
        return with_file(name, &file, headers);
    }
    let is_file_name = name.rsplit('/').next().is_some_and(|last| last.contains('.'));
    if is_file_name {
        let page = if name == PAGE { NOT_BUILT } else { "There is no such file in the lab.\n" };
        return text(StatusCode::NOT_FOUND, page);
    }
    match Dist::get(PAGE) {
        Some(file) => deep_link(&file),
        None => text(StatusCode::NOT_FOUND, NOT_BUILT),
    }
}

/// A stored file, compressed where the browser accepts it and a compressed sibling exists.
fn with_file(name: &str, file: &EmbeddedFile, headers: &HeaderMap) -> Response<Body> {
    let accepted = headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or("");
    let sibling = [("br", "br"), ("gzip", "gz")].into_iter().find_map(|(encoding, extension)| {
        accepts(accepted, encoding).then(|| Dist::get(&format!("{name}.{extension}")))?.map(|file| (encoding, file))
    });
    let etag = entity_tag(file, sibling.as_ref().map(|(encoding, _)| *encoding));
    let unchanged = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()).is_some_and(|known| {
        known.split(',').any(|tag| tag.trim().trim_start_matches("W/") == etag || tag.trim() == "*")
    });

    let mut response = Response::new(Body::empty());
    let out = response.headers_mut();
    out.insert(CACHE_CONTROL, HeaderValue::from_static(if is_hashed(name) { FOR_EVER } else { "no-cache" }));
    out.insert(VARY, HeaderValue::from_static("accept-encoding"));
    out.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(value) = HeaderValue::from_str(&etag) {
        out.insert(ETAG, value);
    }
    if unchanged {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        return response;
    }
    if let Ok(value) = HeaderValue::from_str(&content_type(file)) {
        out.insert(CONTENT_TYPE, value);
    }
    let body = match sibling {
        Some((encoding, compressed)) => {
            out.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
            compressed.data
        }
        None => file.data.clone(),
    };
    *response.body_mut() = Body::from(body);
    response
}

const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// The page under another path than `/`: its links are relative, so it is told where they start.
fn deep_link(page: &EmbeddedFile) -> Response<Body> {
    let page = String::from_utf8_lossy(&page.data).replacen("<head>", "<head><base href=\"/\">", 1);
    text(StatusCode::OK, page)
}

fn text(status: StatusCode, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

fn content_type(file: &EmbeddedFile) -> String {
    let kind = file.metadata.mimetype();
    let is_text = kind.starts_with("text/") || kind == "application/json";
    if is_text { format!("{kind}; charset=utf-8") } else { kind.to_owned() }
}

/// A strong tag: the content's hash, and the encoding, because the bytes sent differ by it.
fn entity_tag(file: &EmbeddedFile, encoding: Option<&str>) -> String {
    let hash: String = file.metadata.sha256_hash().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hash}-{}\"", encoding.unwrap_or("plain"))
}

/// Whether the name carries a content hash (`app.0123456789abcdef.js`), as `cargo xtask lab` writes it.
fn is_hashed(name: &str) -> bool {
    name.split('.').any(|part| part.len() == 16 && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Whether an `Accept-Encoding` header allows an encoding by its own name (RFC 9110, section 12.5.3).
fn accepts(header: &str, encoding: &str) -> bool {
    header.split(',').any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(encoding));
        let refused = parts.any(|parameter| {
            let (key, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            key.trim().eq_ignore_ascii_case("q") && value.trim().parse::<f32>().is_ok_and(|weight| weight <= 0.0)
        });
        named && !refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_encoding_is_read_as_the_rfc_says() {
        let cases = [
            ("gzip, deflate, br", "br", true),
            ("gzip;q=1.0, br;q=0", "br", false),
            ("gzip;q=1.0, br;q=0", "gzip", true),
            ("BR", "br", true),
            ("brotli", "br", false),
            ("", "gzip", false),
            ("gzip; q=0.000", "gzip", false),
        ];
        for (header, encoding, expected) in cases {
            assert_eq!(accepts(header, encoding), expected, "{header:?} for {encoding}");
        }
    }

    #[test]
    fn only_names_with_a_content_hash_are_cached_for_ever() {
        assert!(is_hashed("app.0123456789abcdef.js"));
        assert!(is_hashed("fonts/app_bg.0123456789abcdef.wasm"));
        for name in ["index.html", "app.js", "scenarios/0123456789abcde.json", "app.0123456789abcdeg.js"] {
            assert!(!is_hashed(name), "{name}");
        }
    }

    #[test]
    fn a_missing_file_is_404_and_a_missing_page_says_how_to_build_it() {
        assert_eq!(respond("/no-such-file.js", &HeaderMap::new()).status(), StatusCode::NOT_FOUND);
        let page = respond("/", &HeaderMap::new());
        let expected = if Dist::get(PAGE).is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND };
        assert_eq!(page.status(), expected);
        assert!(page.headers()[CONTENT_TYPE].to_str().is_ok_and(|kind| kind.starts_with("text/html")));
    }

    #[test]
    fn every_stored_file_is_served_with_its_tag_and_not_again_to_one_who_has_it() {
        for name in Dist::iter().filter(|name| !name.ends_with(".br") && !name.ends_with(".gz")) {
            let first = respond(&format!("/{name}"), &HeaderMap::new());
            assert_eq!(first.status(), StatusCode::OK, "{name}");
            let mut headers = HeaderMap::new();
            headers.insert(IF_NONE_MATCH, first.headers()[ETAG].clone());
            assert_eq!(respond(&format!("/{name}"), &headers).status(), StatusCode::NOT_MODIFIED, "{name}");
        }
    }
}
