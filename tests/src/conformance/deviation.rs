//! The list of allowed deviations, and a recorded file compared with the model by it.

use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

use super::explore::{Closest, closest};
use super::recorded::{self, Recorded};
use super::{Error, FIXED, Outcome, Step, Subject};

/// Why a deviation is allowed.
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
    /// Why it is allowed, in a word.
    pub verdict: Verdict,
    /// The variant of the model that agrees, if it is one that a variant takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// Why it is allowed, in a sentence.
    pub why: String,
    /// The shortest script that shows it, with both outcomes.
    pub steps: Vec<Row>,
    /// The recorded scripts in which it occurs.
    pub recorded: Vec<String>,
}

impl Deviation {
    /// Its script.
    ///
    /// # Errors
    /// A step that cannot be read.
    pub fn script<T: Step>(&self) -> Result<Vec<T>, Error> {
        let bad = |message| Error::Recorded { line: 0, message };
        self.steps.iter().map(|(step, _, _)| step.parse().map_err(bad)).collect()
    }

    /// Whether its variant does what the real thing did with a script on which the fixed model differs at step `at`,
    /// counted from 1. A variant that breaks a rule of the model shows no more: it must agree up to that very step, and
    /// break the rule there.
    fn explains<S: Subject>(&self, script: &[S::Step], real: &[String], at: usize) -> Result<bool, Error> {
        let Some(variant) = &self.variant else { return Ok(false) };
        let model = closest::<S>(variant, script, real)?;
        Ok(model.agrees || (model.broken.is_some() && model.outcome.len() + 1 == at))
    }

    fn outcome(&self, of: impl Fn(&Row) -> &String) -> Outcome {
        self.steps.iter().map(|row| of(row).clone()).collect()
    }

    /// Why it no longer occurs; nothing if it does.
    ///
    /// # Errors
    /// If it cannot be compared.
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
/// If it is not of that form.
pub fn read(text: &str) -> Result<Vec<Deviation>, Error> {
    Ok(serde_json::from_str(text)?)
}

/// A script on which model and real thing differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The script's name.
    pub name: String,
    /// Its steps, up to the first that differs.
    pub steps: Vec<Row>,
}

impl Difference {
    /// Of a script whose outcome the model does not give.
    pub fn new<T: Display>(name: &str, script: &[T], real: &[String], model: &Closest) -> Difference {
        let rows = script.iter().zip(real).zip(&model.outcome);
        let steps = rows.map(|((step, real), model)| (step.to_string(), real.clone(), model.clone())).collect();
        Difference { name: name.to_owned(), steps }
    }

    /// Whether it is this deviation.
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

/// What comparing came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// How many scripts agree.
    pub agree: usize,
    /// How many differ as a deviation of the list says.
    pub listed: usize,
    /// The others.
    pub unlisted: Vec<Difference>,
}

impl Comparison {
    /// How many scripts were compared.
    pub fn scripts(&self) -> usize {
        self.agree + self.listed + self.unlisted.len()
    }

    /// Counts a script, which differs like that.
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

/// Whether a script that differs is one of the list, or does what the variant of one of them does.
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

/// How the model differs from a real outcome; nothing if it agrees.
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

/// What is wrong with a list: deviations that no longer occur, by themselves or in the recorded scripts that they name.
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
