//! Makes a small store in the file that is given, for `demo`.

use bayplan::{Any, Container, Db, Record, Runtime};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os()
        .nth(1)
        .ok_or("usage: example_store FILE")?;
    let db = Db::create(path)?;
    let store = db.namespace("default")?;
    for (id, app) in [("web", "nginx"), ("proxy", "nginx"), ("db", "postgres")] {
        let spec = Any::new(Any::OCI_SPEC_URL, br#"{"ociVersion":"1.2.0"}"#);
        let new = Container::new(id, Runtime::new("io.containerd.runc.v2"), spec)
            .image(format!("docker.io/library/{app}:latest"))
            .label("app", app);
        store.create(new)?;
    }
    let images = store.records("images")?;
    images.put(Record::new(
        "docker.io/library/nginx:latest",
        Any::new("image", b"{}"),
    ))?;
    drop((store, images));
    Ok(db.close()?)
}
