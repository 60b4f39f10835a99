//! Templates of lists: what is printed of each item, in the language of Jinja.

use std::io;
use std::str::FromStr;

use minijinja::value::Serde;
use minijinja::{Environment, Error, UndefinedBehavior};
use serde::Serialize;
use serde_json::Value;

use crate::failure::{Failure, Result};
use crate::text::visible;

/// A template that is valid, but may name fields that no item has.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    source: String,
    environment: Environment<'static>,
}

/// The only template of an environment.
const NAME: &str = "--format";

impl FromStr for Template {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // As in the templates of docker and kubectl: shells pass these on as they are.
        let source = text.replace("\\t", "\t").replace("\\n", "\n");
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Chainable);
        environment
            .add_template_owned(NAME, source.clone())
            .map_err(|error| problem(text, &error))?;
        Ok(Self {
            source,
            environment,
        })
    }
}

/// What is wrong with a template.
fn problem(text: &str, error: &Error) -> String {
    let detail = match error.detail() {
        Some(detail) => detail.to_owned(),
        None => error.kind().to_string(),
    };
    match text.contains("{{.") || text.contains("{{ .") {
        true => format!("{detail}; a field is written {{{{ id }}}}, without a dot before it"),
        false => detail,
    }
}

impl Template {
    /// Refuses names of fields that no item has.
    ///
    /// # Errors
    ///
    /// The first such name, and those that there are.
    pub(crate) fn must_name(&self, fields: &[&str]) -> Result<()> {
        let template = self.environment.get_template(NAME).map_err(failed)?;
        let mut unknown: Vec<String> = template
            .undeclared_variables(false)
            .into_iter()
            .filter(|name| !fields.contains(&name.as_str()))
            .filter(|name| !self.environment.globals().any(|(known, _)| known == name))
            .collect();
        unknown.sort();
        match unknown.first() {
            None => Ok(()),
            Some(name) => Err(Failure::new(format!(
                "--format names the field `{name}`, which is not there"
            ))
            .because(format!("fields are {}", fields.join(", ")))),
        }
    }

    /// The text of one item, without characters that could affect a terminal.
    pub(crate) fn line(&self, item: &impl Serialize) -> Result<String> {
        let template = self.environment.get_template(NAME).map_err(failed)?;
        let mut item = serde_json::to_value(item).map_err(io::Error::from)?;
        make_visible(&mut item);
        template.render(Serde(item)).map_err(failed)
    }
}

/// Escapes in all texts what could affect a terminal, or end a line: tabs and line breaks are the template's own.
fn make_visible(value: &mut Value) {
    match value {
        Value::String(text) => *text = visible(text),
        Value::Array(items) => items.iter_mut().for_each(make_visible),
        Value::Object(members) => {
            let renamed = members
                .iter()
                .map(|(key, value)| (visible(key), value.clone()));
            *members = renamed.collect();
            members.values_mut().for_each(make_visible);
        }
        _ => {}
    }
}

fn failed(error: Error) -> Failure {
    Failure::new(format!("--format cannot be filled in: {error}"))
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Serialize)]
    struct Item {
        id: &'static str,
        labels: BTreeMap<&'static str, &'static str>,
    }

    fn line(template: &str) -> String {
        let labels = [
            ("app", "nginx"),
            ("io.kubernetes.pod.name", "front\u{1b}[2J"),
        ];
        let template: Template = template.parse().unwrap();
        template.must_name(&["id", "labels", "image"]).unwrap();
        template
            .line(&Item {
                id: "web",
                labels: labels.into(),
            })
            .unwrap()
    }

    #[test]
    fn a_template_is_filled_in_and_what_is_missing_is_empty() {
        assert_eq!(line(r"{{ id }}\t{{ labels.app }}"), "web\tnginx");
        assert_eq!(
            line("{{ labels['io.kubernetes.pod.name'] }}"),
            "front\\u{1b}[2J"
        );
        assert_eq!(
            line("{{ labels|tojson }}"),
            r#"{"app": "nginx", "io.kubernetes.pod.name": "front\\u{1b}[2J"}"#
        );
        assert_eq!(line("{{ labels.tier }}{{ labels.a.b }}{{ image }}|"), "|");
        assert_eq!(
            line("{% for key, value in labels|items %}{{ key }};{% endfor %}"),
            "app;io.kubernetes.pod.name;"
        );
    }

    #[test]
    fn what_is_wrong_with_a_template_is_told() {
        let error = "{{.ID}}".parse::<Template>().unwrap_err();
        assert!(
            error.ends_with("a field is written {{ id }}, without a dot before it"),
            "{error}"
        );
        assert!("{{ id".parse::<Template>().is_err());
        let template: Template = "{{ imgae }}".parse().unwrap();
        let failure = template.must_name(&["id", "image"]).unwrap_err();
        assert_eq!(
            failure.message(),
            "--format names the field `imgae`, which is not there"
        );
    }
}
