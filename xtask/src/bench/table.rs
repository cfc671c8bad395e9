//! Figures in columns, and figures beside their goals.

/// One line of a table of goals.
pub(super) struct Goal {
    pub(super) what: String,
    pub(super) figure: f64,
    pub(super) bound: Bound,
}

/// What the design asks for.
#[derive(Clone, Copy)]
pub(super) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

/// Prints goals, each met or missed.
pub(super) fn print_goals(goals: &[Goal]) {
    println!("\n{:<58} {:>9}  {:>9}", "against the goals", "figure", "goal");
    for goal in goals {
        let (sign, bound, met) = match goal.bound {
            Bound::AtLeast(bound) => (">=", bound, goal.figure >= bound),
            Bound::AtMost(bound) => ("<=", bound, goal.figure <= bound),
        };
        let end = if met { "met" } else { "MISSED" };
        println!("{:<58} {:>9.2}  {sign} {bound:>6.2}  {end}", goal.what, goal.figure);
    }
}
