// SPDX-License-Identifier: GPL-2.0

//! An HTTP server with one page.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::header::ACCEPT;
use hyper::header::ALLOW;
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::HeaderMap;
use hyper::Method;
use hyper::Request;
use hyper::Response;
use hyper::StatusCode;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio::time::timeout;

use super::args::Format;

/// The path of the metrics.
pub const PATH: &str = "/metrics";

/// The maximum number of connections. Further connections wait until one ends.
const MAX_CONNECTIONS: usize = 32;
/// How long a client may take to send its request.
const ASKING: Duration = Duration::from_secs(5);
/// The maximum duration of a connection, which is for one request.
const CONNECTION: Duration = Duration::from_secs(30);

/// Returns the text of the metrics.
type Metrics = dyn Fn(Format) -> Result<String> + Send + Sync;

/// Serves the metrics until the program ends, in a thread of its own.
pub fn start(listener: std::net::TcpListener, metrics: Arc<Metrics>) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let inside = runtime.enter();
    let listener = TcpListener::from_std(listener)?;
    drop(inside);
    thread::spawn(move || runtime.block_on(accept(listener, metrics)));
    Ok(())
}

async fn accept(listener: TcpListener, metrics: Arc<Metrics>) -> Infallible {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        // The semaphore is never closed.
        let permit = room.clone().acquire_owned().await;
        match listener.accept().await {
            Ok((stream, _)) => {
                let metrics = metrics.clone();
                tokio::spawn(async move {
                    let _permit = permit;
                    // An error on one connection does not affect the server.
                    let _ = timeout(CONNECTION, serve(stream, &*metrics)).await;
                });
            }
            // The process may be out of file descriptors until a connection ends.
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Answers one request.
async fn serve(stream: TcpStream, metrics: &Metrics) -> hyper::Result<()> {
    let service = service_fn(|request: Request<Incoming>| {
        let answer = answer(&request, metrics);
        async { Ok::<_, Infallible>(answer) }
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(ASKING)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

fn answer<B>(request: &Request<B>, metrics: &Metrics) -> Response<Full<Bytes>> {
    let plain = |status, text: String| response(status, "text/plain; charset=utf-8", text);
    if request.uri().path() != PATH {
        let text = format!("the metrics are at {PATH}\n");
        return plain(StatusCode::NOT_FOUND, text);
    }
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let text = "the metrics can only be read\n".to_string();
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, text);
        let allowed = HeaderValue::from_static("GET, HEAD");
        response.headers_mut().insert(ALLOW, allowed);
        return response;
    }
    let format = format(request.headers());
    match metrics(format) {
        Ok(text) => {
            let kind = match format {
                Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
                Format::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            };
            response(StatusCode::OK, kind, text)
        }
        Err(error) => plain(StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}\n")),
    }
}

fn response(status: StatusCode, kind: &'static str, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static(kind);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// The format that a client accepts: OpenMetrics, unless it accepts only the other.
fn format(headers: &HeaderMap) -> Format {
    let accepted = headers.get_all(ACCEPT).iter();
    let accepted = accepted.flat_map(|value| value.to_str().unwrap_or_default().split(','));
    let kinds: Vec<&str> = accepted
        .map(|kind| kind.split(';').next().unwrap_or_default().trim())
        .collect();
    let names = |name: &str| kinds.iter().any(|kind| kind.eq_ignore_ascii_case(name));
    match names("text/plain") && !names("application/openmetrics-text") {
        true => Format::Prometheus,
        false => Format::OpenMetrics,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use anyhow::bail;

    fn accepting(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(ACCEPT, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn formats() {
        for values in [
            &[][..],
            &["*/*"],
            &["application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.1"],
            &["text/plain", "Application/OpenMetrics-Text; version=0.0.1"],
            &["text/html"],
        ] {
            assert_eq!(format(&accepting(values)), Format::OpenMetrics, "{values:?}");
        }
        for values in [
            &["text/plain"][..],
            &["text/html, text/plain;version=0.0.4;q=0.3,*/*;q=0.1"],
            &["text/html", "text/plain"],
        ] {
            assert_eq!(format(&accepting(values)), Format::Prometheus, "{values:?}");
        }
    }

    fn request(method: &Method, path: &str) -> Request<()> {
        let request = Request::builder().method(method).uri(path);
        request.body(()).unwrap()
    }

    #[test]
    fn other_requests_read_nothing() {
        let never = |_| -> Result<String> { panic!("nobody asked") };
        for path in ["/", "/metrics/", "/metric", "*"] {
            for method in [Method::GET, Method::POST] {
                let answer = answer(&request(&method, path), &never);
                assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
            }
        }
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let answer = answer(&request(&method, PATH), &never);
            assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{method}");
            assert_eq!(answer.headers()[ALLOW], "GET, HEAD", "{method}");
        }
    }

    #[test]
    fn errors_are_the_servers() {
        let fails = |_| -> Result<String> { bail!("no module") };
        let answer = answer(&request(&Method::GET, PATH), &fails);
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
