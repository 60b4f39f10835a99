//! Labels: the limits of keys and values, and the meaning of an empty value.

use std::collections::BTreeMap;

use crate::model::error::{Error, Result};
use crate::model::limits::{LABEL_MAX_BYTES, LABELS_MAX_COUNT};
use crate::model::policy::Policy;

/// The labels of a container or a namespace, ordered by key.
pub type Labels = BTreeMap<String, String>;

/// Checks that a label may be stored.
///
/// Key and value together have at most [`LABEL_MAX_BYTES`]
/// bytes (containerd's rule), and the key is not empty.
pub(crate) fn check_label(key: &str, value: &str) -> Result<()> {
    if key.is_empty() {
        return Err(Error::invalid("a label has an empty key"));
    }
    let size = key.len() + value.len();
    if size > LABEL_MAX_BYTES {
        return Err(Error::invalid(format!(
            "the label {key:?} is too large: key and value have {size} bytes of at most \
             {LABEL_MAX_BYTES}"
        )));
    }
    Ok(())
}

/// Checks all labels, and drops those with an empty value, which means "no label" unless the store keeps empty labels.
pub(crate) fn settle(labels: Labels, policy: Policy) -> Result<Labels> {
    for (key, value) in &labels {
        check_label(key, value)?;
    }
    let mut labels = labels;
    if !policy.keep_empty_labels {
        labels.retain(|_, value| !value.is_empty());
    }
    if labels.len() > LABELS_MAX_COUNT {
        let count = labels.len();
        return Err(Error::invalid(format!(
            "there are too many labels: {count} of at most {LABELS_MAX_COUNT}"
        )));
    }
    Ok(labels)
}

/// Checks that the labels are as the store keeps them.
pub(crate) fn check_stored(labels: Labels, policy: Policy) -> Result<Labels> {
    let count = labels.len();
    let labels = settle(labels, policy)?;
    if labels.len() != count {
        return Err(Error::invalid("a label has an empty value"));
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_and_value_together_have_at_most_4096_bytes() {
        let key = "k".repeat(96);
        assert!(check_label(&key, &"v".repeat(4000)).is_ok());
        let error = check_label(&key, &"v".repeat(4001)).unwrap_err();
        assert!(error.is_invalid_argument());
        assert_eq!(
            error.to_string(),
            format!(
                "the label {key:?} is too large: key and value have 4097 bytes of at most 4096"
            )
        );
    }

    #[test]
    fn bytes_count_not_characters() {
        assert!(check_label("k", &"é".repeat(2047)).is_ok());
        assert!(check_label("k", &"é".repeat(2048)).is_err());
    }

    #[test]
    fn a_key_is_never_empty_also_when_the_value_is() {
        assert!(check_label("", "v").unwrap_err().is_invalid_argument());
        let unnamed = Labels::from([(String::new(), String::new())]);
        assert!(settle(unnamed, Policy::default()).is_err());
    }

    #[test]
    fn an_empty_value_means_unset() {
        let labels = Labels::from([("a".into(), "1".into()), ("b".into(), String::new())]);
        assert_eq!(
            settle(labels.clone(), Policy::default()).unwrap(),
            Labels::from([("a".into(), "1".into())])
        );
        let keeping = Policy {
            keep_empty_labels: true,
            ..Policy::default()
        };
        assert_eq!(settle(labels.clone(), keeping).unwrap(), labels);
    }

    #[test]
    fn there_is_a_limit_to_their_number() {
        let many = |count: usize| {
            (0..count)
                .map(|n| (n.to_string(), "x".to_owned()))
                .collect()
        };
        assert!(settle(many(LABELS_MAX_COUNT), Policy::default()).is_ok());
        assert!(
            settle(many(LABELS_MAX_COUNT + 1), Policy::default())
                .unwrap_err()
                .is_invalid_argument()
        );
    }
}
