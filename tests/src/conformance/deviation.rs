//! The list of allowed deviations, and the comparison of a recorded file with the model.

use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

use super::explore::{Closest, closest};
use super::recorded::{self, Recorded};
use super::{Error, FIXED, Outcome, Step, Subject};

/// The reason why a deviation is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The model leaves it out.
    LeftOut,
    /// The fixed model repairs a bug of the original; a variant of the model behaves like the original.
    Repaired,
}

/// A step with both outcomes: `[step, real, model]`.
pub type Row = (String, String, String);

/// An allowed deviation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deviation {
    /// The reason, as a category.
    pub verdict: Verdict,
    /// The variant of the model that behaves like the original, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// The reason, as a sentence.
    pub why: String,
    /// The shortest script that shows the deviation, with both outcomes.
    pub steps: Vec<Row>,
    /// The recorded scripts in which it occurs.
    pub recorded: Vec<String>,
}

impl Deviation {
    /// The script that shows the deviation.
    ///
    /// # Errors
    /// If a step cannot be parsed.
    pub fn script<T: Step>(&self) -> Result<Vec<T>, Error> {
        let bad = |message| Error::Recorded { line: 0, message };
        self.steps.iter().map(|(step, _, _)| step.parse().map_err(bad)).collect()
    }

    /// Whether the deviation's variant reproduces the original's outcome of a script. The fixed model differs on it at
    /// step `at`, counted from 1. A run that breaks a rule of the model ends there, so such a variant must agree up to
    /// that step and break the rule in it.
    fn explains<S: Subject>(&self, script: &[S::Step], real: &[String], at: usize) -> Result<bool, Error> {
        let Some(variant) = &self.variant else { return Ok(false) };
        let model = closest::<S>(variant, script, real)?;
        Ok(model.agrees || (model.broken.is_some() && model.outcome.len() + 1 == at))
    }

    fn outcome(&self, of: impl Fn(&Row) -> &String) -> Outcome {
        self.steps.iter().map(|row| of(row).clone()).collect()
    }

    /// The reason why the deviation no longer occurs; `None` if it still occurs.
    ///
    /// # Errors
    /// If the script cannot be compared.
    pub fn stale<S: Subject>(&self) -> Result<Option<String>, Error> {
        let script: Vec<S::Step> = self.script()?;
        let (real, model) = (self.outcome(|row| &row.1), self.outcome(|row| &row.2));
        if closest::<S>(FIXED, &script, &real)?.agrees {
            return Ok(Some(String::from("the model agrees now")));
        }
        if !closest::<S>(FIXED, &script, &model)?.agrees {
            return Ok(Some(String::from("the model does something else now")));
        }
        let variant = self.variant.as_deref().filter(|_| self.verdict == Verdict::Repaired);
        match (variant, self.verdict) {
            (None, Verdict::Repaired) => Ok(Some(String::from("it names no variant that behaves like the original"))),
            (Some(_), _) if !self.explains::<S>(&script, &real, self.steps.len())? => {
                Ok(Some(String::from("its variant does not behave like the original")))
            }
            _ => Ok(None),
        }
    }
}

/// Reads a list.
///
/// # Errors
/// If the text is not a valid list.
pub fn read(text: &str) -> Result<Vec<Deviation>, Error> {
    Ok(serde_json::from_str(text)?)
}

/// A script on which the model and the original differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The script's name.
    pub name: String,
    /// Its steps, up to the first that differs.
    pub steps: Vec<Row>,
}

impl Difference {
    /// The difference on a script whose outcome the model does not reproduce.
    pub fn new<T: Display>(name: &str, script: &[T], real: &[String], model: &Closest) -> Difference {
        let rows = script.iter().zip(real).zip(&model.outcome);
        let steps = rows.map(|((step, real), model)| (step.to_string(), real.clone(), model.clone())).collect();
        Difference { name: name.to_owned(), steps }
    }

    /// Whether this difference is the listed deviation.
    pub fn is(&self, deviation: &Deviation) -> bool {
        let steps = |rows: &[Row]| rows.iter().map(|row| row.0.clone()).collect::<Vec<_>>();
        deviation.recorded.contains(&self.name) || steps(&self.steps) == steps(&deviation.steps)
    }
}

impl Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "script {}", self.name)?;
        for (step, real, model) in &self.steps {
            match real == model {
                true => writeln!(f, "  {step}  {real}")?,
                false => writeln!(f, "  {step}\n    real   {real}\n    model  {model}")?,
            }
        }
        Ok(())
    }
}

/// The result of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Number of scripts that agree.
    pub agree: usize,
    /// Number of scripts that differ as listed.
    pub listed: usize,
    /// The unlisted differences.
    pub unlisted: Vec<Difference>,
}

impl Comparison {
    /// Number of compared scripts.
    pub fn scripts(&self) -> usize {
        self.agree + self.listed + self.unlisted.len()
    }

    /// Counts a script with its difference, if it has one.
    ///
    /// # Errors
    /// If it cannot be compared with a variant.
    pub fn add<S: Subject>(
        &mut self,
        recorded: &Recorded<S::Step>,
        difference: Option<Difference>,
        deviations: &[Deviation],
    ) -> Result<(), Error> {
        let Some(difference) = difference else {
            self.agree += 1;
            return Ok(());
        };
        if is_listed::<S>(recorded, &difference, deviations)? {
            self.listed += 1;
        } else {
            self.unlisted.push(difference);
        }
        Ok(())
    }
}

impl Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (agree, listed, unlisted) = (self.agree, self.listed, self.unlisted.len());
        write!(f, "{} scripts: {agree} agree, {listed} differ as listed, {unlisted} differ", self.scripts())
    }
}

/// Whether a difference is on the list, or the variant of a listed deviation reproduces the original's outcome.
///
/// # Errors
/// If it cannot be compared with a variant.
pub fn is_listed<S: Subject>(
    recorded: &Recorded<S::Step>,
    difference: &Difference,
    deviations: &[Deviation],
) -> Result<bool, Error> {
    for listed in deviations {
        let at = difference.steps.len();
        if difference.is(listed) || listed.explains::<S>(&recorded.script, &recorded.real, at)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The difference between the model and the original's outcome; `None` if they agree.
///
/// # Errors
/// If the model breaks a rule of its own.
pub fn difference<S: Subject>(recorded: &Recorded<S::Step>) -> Result<Option<Difference>, Error> {
    let Recorded { name, script, real } = recorded;
    let model = closest::<S>(FIXED, script, real)?;
    Ok((!model.agrees).then(|| Difference::new(name, script, real, &model)))
}

/// Compares a recorded file with the model.
///
/// # Errors
/// If the file cannot be read, or the model breaks a rule of its own.
pub fn compare<S: Subject>(text: &str, deviations: &[Deviation]) -> Result<Comparison, Error> {
    let mut comparison = Comparison::default();
    for recorded in recorded::read::<S::Step>(text)? {
        comparison.add::<S>(&recorded, difference::<S>(&recorded)?, deviations)?;
    }
    Ok(comparison)
}

/// The errors of a list: deviations that no longer occur in their own script or in a recorded script that they name.
///
/// # Errors
/// If something cannot be read or compared.
pub fn stale<S: Subject>(text: &str, deviations: &[Deviation]) -> Result<Vec<String>, Error> {
    let all = recorded::read::<S::Step>(text)?;
    let mut wrong = Vec::new();
    for listed in deviations {
        let script: Vec<&str> = listed.steps.iter().map(|row| row.0.as_str()).collect();
        let script = script.join("; ");
        if let Some(why) = listed.stale::<S>()? {
            wrong.push(format!("{script}: {why}"));
        }
        for name in &listed.recorded {
            match all.iter().find(|recorded| recorded.name == *name) {
                None => wrong.push(format!("{script}: there is no recorded script {name}")),
                Some(recorded) if difference::<S>(recorded)?.is_none() => {
                    wrong.push(format!("{script}: recorded script {name} agrees now"));
                }
                Some(_) => {}
            }
        }
    }
    Ok(wrong)
}
