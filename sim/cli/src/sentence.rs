//! clap's errors, as one sentence.

/// Joins the lines of clap's message into one line that begins with the program's name. Omits the usage, and each line
/// that begins with one of `noise`.
pub fn one_sentence(program: &str, text: &str, noise: &[&str]) -> String {
    let said = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let mut sentence = format!("{program}:");
    let is_noise = |line: &str| noise.iter().any(|start| line.starts_with(start));
    for line in said.filter(|line| !line.is_empty() && !is_noise(line)) {
        let line = line.strip_prefix("error: ").unwrap_or(line);
        let (separator, line) = line.strip_prefix("tip: ").map_or((" ", line), |tip| ("; ", tip));
        sentence.push_str(separator);
        sentence.push_str(line);
    }
    sentence
}
