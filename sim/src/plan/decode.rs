//! Reads a plan from JSON, and refuses keys and values that the plan does not keep.
//!
//! By default serde ignores unknown keys: a misspelt key in an edited plan would silently have no effect. The plan is
//! therefore serialised again, and a key or value that is missing from the result is an error.

use serde_json::Value;

use super::{BadPlan, Plan};

/// Reads a plan. It does not check the bounds.
pub(super) fn decode<P: Plan>(json: &Value) -> Result<P, BadPlan> {
    let plan: P = serde_path_to_error::deserialize(json).map_err(|error| {
        let path = error.path().to_string();
        let problem = BadPlan::new(format!("does not fit: {}", error.inner()));
        // The path of an error at the top is a dot.
        if path == "." { problem } else { problem.inside(path) }
    })?;
    let written = serde_json::to_value(&plan).map_err(|error| BadPlan::new(format!("cannot be written: {error}")))?;
    nothing_lost(json, &written)?;
    Ok(plan)
}

fn nothing_lost(given: &Value, written: &Value) -> Result<(), BadPlan> {
    match (given, written) {
        (Value::Object(given), Value::Object(written)) => given.iter().try_for_each(|(key, value)| {
            match written.get(key) {
                // An option that is `null` in the input may be omitted when the plan is serialised again.
                None if value.is_null() => Ok(()),
                None => Err(BadPlan::new("is an unknown key")),
                Some(written) => nothing_lost(value, written),
            }
            .map_err(|bad| bad.inside(key))
        }),
        (Value::Array(given), Value::Array(written)) if given.len() == written.len() => {
            let mut pairs = given.iter().zip(written).enumerate();
            pairs.try_for_each(|(index, (given, written))| nothing_lost(given, written).map_err(|bad| bad.at(index)))
        }
        _ if given == written => Ok(()),
        _ => Err(BadPlan::new(format!("is {given}, which reads as {written}"))),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde::{Deserialize, Serialize};
    use serde_json::json;

    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Outer {
        steps: Vec<Step>,
        #[serde(default)]
        pause_ms: u32,
        #[serde(default)]
        ports: BTreeSet<u16>,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    enum Step {
        Wait,
        Read { bytes: u32 },
    }

    impl Plan for Outer {}

    #[track_caller]
    fn check(json: &Value, said: &str) {
        assert_eq!(decode::<Outer>(json).err().map(|bad| bad.to_string()).unwrap_or_default(), said);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        check(&json!({"steps": ["Wait", {"Read": {"bytes": 3}}], "pause_ms": 4}), "");
        check(&json!({"steps": []}), "");
        check(&json!({"steps": [], "pause": 4}), "plan.pause is an unknown key");
        check(
            &json!({"steps": ["Wait", {"Read": {"bytes": 3, "fast": true}}]}),
            "plan.steps[1].Read.fast is an unknown key",
        );
        check(
            &json!({"steps": ["Wait", {"Read": {"bytes": -1}}]}),
            "plan.steps[1].Read.bytes does not fit: invalid value: integer `-1`, expected u32",
        );
        check(&json!({"steps": [], "ports": [80, 81]}), "");
        check(&json!({"steps": [], "ports": [80, 80]}), "plan.ports is [80,80], which reads as [80]");
        check(&json!(7), "plan does not fit: invalid type: integer `7`, expected struct Outer");
    }
}
