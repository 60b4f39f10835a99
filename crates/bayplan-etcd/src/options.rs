//! How to reach etcd, and where in it a store is.

use std::fmt;
use std::time::Duration;

use bayplan::implementing::Policy;
use bayplan::{Error, ErrorKind, Result, Rules};
use etcd_client::{Certificate, ConnectOptions, Identity, TlsOptions};

/// The prefix of a store's keys, unless another is given.
pub const DEFAULT_STORE_PREFIX: &str = "/bayplan/store/";

/// The prefix of a fleet's keys, unless another is given.
pub const DEFAULT_FLEET_PREFIX: &str = "/bayplan/fleet/";

/// The longest prefix, in bytes.
pub const PREFIX_MAX_BYTES: usize = 256;

/// How to reach etcd, and which part of it to use.
///
/// # Examples
///
/// ```no_run
/// use bayplan_etcd::{Etcd, Options};
///
/// # fn main() -> bayplan::Result<()> {
/// let etcd = Etcd::open(&Options::new(["127.0.0.1:2379"]).prefix("/lab/"))?;
/// let store = etcd.namespace("k8s.io")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Options {
    pub(crate) endpoints: Vec<String>,
    pub(crate) prefix: Option<String>,
    pub(crate) policy: Policy,
    pub(crate) user: Option<(String, String)>,
    pub(crate) tls: Option<TlsOptions>,
    pub(crate) timeout: Duration,
    pub(crate) attempts: u32,
}

/// Without the password.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("endpoints", &self.endpoints)
            .field("prefix", &self.prefix)
            .field("policy", &self.policy)
            .field("user", &self.user.as_ref().map(|(name, _)| name))
            .field("has_tls", &self.tls.is_some())
            .field("timeout", &self.timeout)
            .field("attempts", &self.attempts)
            .finish()
    }
}

impl Options {
    /// The options for these endpoints, such as `127.0.0.1:2379` or `https://etcd-1:2379`.
    pub fn new<E: Into<String>>(endpoints: impl IntoIterator<Item = E>) -> Self {
        Self {
            endpoints: endpoints.into_iter().map(Into::into).collect(),
            prefix: None,
            policy: Policy::default(),
            user: None,
            tls: None,
            timeout: Duration::from_secs(5),
            attempts: 8,
        }
    }

    /// Puts all keys below this prefix of at most [`PREFIX_MAX_BYTES`]. By default, it is [`DEFAULT_STORE_PREFIX`] for a
    /// store and [`DEFAULT_FLEET_PREFIX`] for a fleet.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// The rules of a store that is created. An existing store keeps its own.
    #[must_use]
    pub fn rules(mut self, rules: Rules) -> Self {
        self.policy.rules = rules;
        self
    }

    /// Whether a store that is created keeps labels with an empty value. An existing store keeps its own choice.
    #[must_use]
    pub fn keep_empty_labels(mut self, keep: bool) -> Self {
        self.policy.keep_empty_labels = keep;
        self
    }

    /// Authenticates with a name and a password.
    #[must_use]
    pub fn user(mut self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.user = Some((name.into(), password.into()));
        self
    }

    /// Trusts this certificate authority, in PEM, for all `https` endpoints.
    #[must_use]
    pub fn ca_certificate(mut self, pem: impl AsRef<[u8]>) -> Self {
        let tls = self.tls.take().unwrap_or_default();
        self.tls = Some(tls.ca_certificate(Certificate::from_pem(pem)));
        self
    }

    /// Shows this certificate with its key, both in PEM, to all `https` endpoints.
    #[must_use]
    pub fn client_certificate(mut self, pem: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        let tls = self.tls.take().unwrap_or_default();
        self.tls = Some(tls.identity(Identity::from_pem(pem, key)));
        self
    }

    /// How long to wait for each request; 5 seconds by default.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How often a request is sent at most, while etcd does not answer; 8 times by default, within some
    /// seconds, which is enough for an election.
    #[must_use]
    pub fn attempts(mut self, count: u32) -> Self {
        self.attempts = count.max(1);
        self
    }

    /// Returns the prefix, or this one.
    pub(crate) fn prefix_or(&self, default: &str) -> Result<String> {
        let prefix = self.prefix.as_deref().unwrap_or(default);
        if prefix.is_empty() || prefix.len() > PREFIX_MAX_BYTES || prefix.contains('\0') {
            return Err(Error::of_kind(
                ErrorKind::InvalidArgument,
                format!(
                    "the prefix {prefix:?} is none: one has 1 to {PREFIX_MAX_BYTES} bytes, and no byte 00"
                ),
            ));
        }
        Ok(prefix.to_owned())
    }

    pub(crate) fn connect_options(&self) -> ConnectOptions {
        let mut options = ConnectOptions::new()
            .with_connect_timeout(self.timeout)
            .with_keep_alive(self.timeout, self.timeout)
            .with_require_leader(true)
            .with_auto_token_refresh(true);
        if let Some((name, password)) = &self.user {
            options = options.with_user(name, password);
        }
        if let Some(tls) = &self.tls {
            options = options.with_tls(tls.clone());
        }
        options
    }
}
