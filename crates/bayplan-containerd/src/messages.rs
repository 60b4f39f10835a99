//! The limit of messages, with containerd's code for those above it.

use axum::http::HeaderValue;
use axum::response::Response as HttpResponse;
use tonic::{Response, Status};

/// The largest message, in bytes, as containerd's.
pub(crate) const MESSAGE_MAX_BYTES: usize = 16 * 1024 * 1024;

/// A message that is not larger than a client takes.
pub(crate) fn fitting<M: prost::Message>(message: M) -> Result<Response<M>, Status> {
    fits(&message)?;
    Ok(Response::new(message))
}

/// Whether a client takes a message.
///
/// # Errors
///
/// `ResourceExhausted` if it is too large.
pub(crate) fn fits(message: &impl prost::Message) -> Result<(), Status> {
    let bytes = message.encoded_len();
    if bytes <= MESSAGE_MAX_BYTES {
        return Ok(());
    }
    let text = format!("the answer is too large: {bytes} bytes of at most {MESSAGE_MAX_BYTES}");
    Err(Status::resource_exhausted(text))
}

/// tonic says `OutOfRange` of a request above the limit, which no service here says. containerd says
/// `ResourceExhausted`.
pub(crate) async fn with_containerds_code(mut response: HttpResponse) -> HttpResponse {
    const STATUS: &str = "grpc-status";
    const OUT_OF_RANGE: &str = "11";
    const RESOURCE_EXHAUSTED: &str = "8";
    if let Some(code) = response.headers_mut().get_mut(STATUS)
        && code == OUT_OF_RANGE
    {
        *code = HeaderValue::from_static(RESOURCE_EXHAUSTED);
    }
    response
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    #[test]
    fn an_answer_above_the_limit_is_refused() {
        let of = |count: usize| prost_types::Any {
            type_url: String::new(),
            value: vec![1; count],
        };
        // The field has its number and its length before it.
        let at = MESSAGE_MAX_BYTES - 5;
        assert!(fitting(of(at)).is_ok());
        let error = fitting(of(at + 1)).unwrap_err();
        assert_eq!(error.code(), Code::ResourceExhausted);
        assert!(
            error
                .message()
                .contains("16777217 bytes of at most 16777216"),
            "{error}"
        );
    }
}
