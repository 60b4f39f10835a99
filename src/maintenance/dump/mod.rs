//! The dump: a whole store as lines of JSON, for people, for other programs and for other versions.
//!
//! ```text
//! {"bayplan_dump":2,"store":{"id":"..","created_at":"..","rules":"strict","revisions_below":1024}}
//! {"namespace":"k8s.io","labels":{"team":"infra"}}
//! {"namespace":"k8s.io","container":{"id":"web","labels":{"app":"nginx"},..,"revision":7}}
//! {"namespace":"k8s.io","kind":"images","record":{"id":"nginx",..,"revision":8}}
//! {"end":{"namespaces":1,"containers":1,"records":1,"crc32":"5d41402a"}}
//! ```
//!
//! The line of a namespace comes before the lines of its containers and records. Namespaces are sorted by
//! name, containers and records by kind and id. The checksum is the CRC-32 (IEEE) of all lines before the
//! last, with their line feeds. Every line ends with a line feed, including the last. The same store always
//! gives the same bytes.

pub(crate) mod line;
mod lines;
mod reader;
pub(crate) mod run;
mod writer;

pub(crate) use reader::{Item, Reader};
pub(crate) use writer::Writer;
