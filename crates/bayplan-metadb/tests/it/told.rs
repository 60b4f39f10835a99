//! What an import told, as texts.

use std::error::Error as _;

use bayplan::{Container, Db, Filters, Labels};
use bayplan_metadb::{Change, Event, ImportReport, MetaDb, Result};

use crate::image::Image;

#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) imported: Vec<String>,
    pub(crate) changed: Vec<String>,
    pub(crate) refused: Vec<String>,
    pub(crate) left_behind: Vec<String>,
    pub(crate) report: ImportReport,
}

fn name(namespace: &str, id: Option<&str>) -> String {
    id.map_or_else(|| namespace.to_owned(), |id| format!("{namespace}/{id}"))
}

impl Told {
    fn take(&mut self, event: &Event<'_>) {
        match event {
            Event::Imported { namespace, id } => self.imported.push(name(namespace, Some(id))),
            Event::Changed {
                namespace,
                id,
                change,
            } => {
                let change = match change {
                    Change::EmptyLabels(keys) => keys.join(","),
                    other => format!("{other:?}"),
                };
                self.changed
                    .push(format!("{}: {change}", name(namespace, *id)));
            }
            Event::Refused {
                namespace,
                id,
                error,
            } => {
                let mut text = format!("{}: {error}", name(namespace, *id));
                let mut cause = error.source();
                while let Some(error) = cause {
                    text = format!("{text}: {error}");
                    cause = error.source();
                }
                self.refused.push(text);
            }
            Event::LeftBehind {
                namespace,
                kind,
                count,
            } => self
                .left_behind
                .push(format!("{namespace}/{kind}: {count}")),
            other => panic!("{other:?}"),
        }
    }
}

/// Imports a file.
pub(crate) fn import(meta: &MetaDb, db: &Db) -> Result<Told> {
    let mut told = Told::default();
    told.report = bayplan_metadb::import(meta, db, |event| told.take(&event))?;
    let report = &told.report;
    assert_eq!(report.containers_count, told.imported.len() as u64);
    assert_eq!(report.refused_count, told.refused.len() as u64);
    assert_eq!(report.changed_count, told.changed.len() as u64);
    Ok(told)
}

/// Imports an image into a new store. A dry run tells the same, and changes nothing.
#[track_caller]
pub(crate) fn imported(image: &Image) -> (Told, Db) {
    let file = image.file();
    let meta = MetaDb::open(file.path()).unwrap();
    let db = Db::in_memory().unwrap();
    let mut dry = Told::default();
    dry.report = bayplan_metadb::dry_run(&meta, &db, |event| dry.take(&event)).unwrap();
    assert!(db.list_namespaces().unwrap().is_empty());
    let told = import(&meta, &db).unwrap();
    assert_eq!(format!("{dry:?}"), format!("{told:?}"));
    (told, db)
}

/// Everything that a store holds, apart from revisions.
pub(crate) fn content(db: &Db) -> Vec<(String, Labels, Vec<Container>)> {
    let names = db.list_namespaces().unwrap();
    let of = |name: &str| {
        let mut containers = db.namespace(name).unwrap().list(&Filters::all()).unwrap();
        for container in &mut containers {
            container.revision = Container::with_id("").revision;
        }
        (
            name.to_owned(),
            db.namespace_labels(name).unwrap(),
            containers,
        )
    };
    names.iter().map(|name| of(name.as_str())).collect()
}
