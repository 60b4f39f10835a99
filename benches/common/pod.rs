//! The pod that a container is of.

use serde::Serialize;

use super::RARE;
use super::dice::Dice;

/// A container, as far as its spec, its labels and its metadata agree.
pub(crate) struct Pod {
    pub(crate) namespace: &'static str,
    pub(crate) app: &'static str,
    pub(crate) container: &'static str,
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) sandbox: String,
    /// Digits of the image's digest.
    digest: String,
    version: String,
}

/// Namespace, application and container of each kind of pod.
const KINDS: [(&str, &str, &str); 14] = [
    ("kube-system", "kube-proxy", "kube-proxy"),
    ("kube-system", "cilium", "cilium-agent"),
    ("kube-system", "coredns", "coredns"),
    ("monitoring", "node-exporter", "node-exporter"),
    ("monitoring", "prometheus", "config-reloader"),
    ("logging", "fluent-bit", "fluent-bit"),
    ("istio-system", "istio-ingress", "istio-proxy"),
    ("shop", "cart", "cart"),
    ("shop", "checkout", "checkout"),
    ("shop", "search", "search-api"),
    ("payments", "fraud-detection", "scorer"),
    ("payments", "settlement", "worker"),
    ("batch", "thumbnails", "resize"),
    ("identity", "sessions", "server"),
];

const RARE_KIND: (&str, &str, &str) = ("payments", RARE.1, "ledger");

impl Pod {
    pub(crate) fn new(number: usize, dice: &mut Dice) -> Self {
        let is_rare = number.is_multiple_of(100);
        let kind = dice.one_of(&KINDS);
        let (namespace, app, container) = if is_rare { RARE_KIND } else { kind };
        Self {
            namespace,
            app,
            container,
            name: format!("{app}-{}-{}", dice.hex(10), dice.hex(5)),
            uid: dice.uuid(),
            sandbox: dice.hex(64),
            digest: dice.hex(64),
            version: format!(
                "{}.{}.{}",
                1 + dice.number(4),
                dice.number(40),
                dice.number(10)
            ),
        }
    }

    /// The image, by its name.
    pub(crate) fn image(&self) -> String {
        format!(
            "registry.example.com/{}/{}:v{}",
            self.namespace, self.app, self.version
        )
    }

    /// What the CRI plugin remembers of a container, as JSON.
    pub(crate) fn metadata(&self, id: &str) -> Vec<u8> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Versioned {
            version: &'static str,
            metadata: Metadata,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Metadata {
            #[serde(rename = "ID")]
            id: String,
            name: String,
            #[serde(rename = "SandboxID")]
            sandbox_id: String,
            image_ref: String,
            log_path: String,
            stop_signal: &'static str,
            process_label: &'static str,
        }
        let Self {
            namespace,
            container,
            name,
            uid,
            ..
        } = self;
        let metadata = Metadata {
            id: id.to_owned(),
            name: format!("{container}_{name}_{namespace}_{uid}_0"),
            sandbox_id: self.sandbox.clone(),
            image_ref: format!("sha256:{}", self.digest),
            log_path: format!("/var/log/pods/{namespace}_{name}_{uid}/{container}/0.log"),
            stop_signal: "SIGTERM",
            process_label: "",
        };
        let version = "v1";
        serde_json::to_vec(&Versioned { version, metadata }).expect("text is JSON")
    }
}
