//! Removing faults of the network from a plan, wherever in the plan they are.
//!
//! proptest goes through a list once, and a list may have a minimum length. But a plan with one fault fewer is always
//! valid, and a reader needs to know that each remaining fault matters.

use serde_json::Value;

use crate::net::Fault;

/// The plans with one fault fewer, the last fault removed first.
pub(super) fn with_one_less(plan: &Value) -> Vec<Value> {
    let mut places = Vec::new();
    collect(plan, String::new(), &mut places);
    places.into_iter().rev().filter_map(|(list, nth)| without(plan, &list, nth)).collect()
}

/// The position of each fault: its list, as a JSON pointer (RFC 6901), and the index in it.
fn collect(value: &Value, here: String, places: &mut Vec<(String, usize)>) {
    match value {
        Value::Array(items) => {
            for (nth, item) in items.iter().enumerate() {
                if serde_json::from_value::<Fault>(item.clone()).is_ok() {
                    places.push((here.clone(), nth));
                } else {
                    collect(item, format!("{here}/{nth}"), places);
                }
            }
        }
        Value::Object(fields) => {
            for (key, field) in fields {
                let key = key.replace('~', "~0").replace('/', "~1");
                collect(field, format!("{here}/{key}"), places);
            }
        }
        _ => {}
    }
}

fn without(plan: &Value, list: &str, nth: usize) -> Option<Value> {
    let mut plan = plan.clone();
    plan.pointer_mut(list)?.as_array_mut()?.remove(nth);
    Some(plan)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::net::{End, FaultKind};

    #[test]
    fn faults_are_found_wherever_they_are() {
        let fault = |connection| {
            let fault =
                Fault { connection, from: End::Client, after_bytes: 0, after_ms: 0, kind: FaultKind::Stall { ms: 5 } };
            serde_json::to_value(fault).expect("plain data is JSON")
        };
        let plan = json!({"n": [1, 2], "a/b": {"faults": [fault(0), fault(1)]}, "pair": [3, [fault(2)]]});
        let less = with_one_less(&plan);
        assert_eq!(less.len(), 3);
        assert_eq!(less[0], json!({"n": [1, 2], "a/b": {"faults": [fault(0), fault(1)]}, "pair": [3, []]}));
        assert!(less.contains(&json!({"n": [1, 2], "a/b": {"faults": [fault(1)]}, "pair": [3, [fault(2)]]})));
    }
}
