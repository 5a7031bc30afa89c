//! Which keys a template takes whatever happens: without one of them it cannot be rendered.

use super::functions::Kind;
use super::tree::{Command, Node, Operand, Pipeline, Term, Tree};

/// Calls `found` for each key of the root that is taken for certain, with its place.
pub(super) fn each(tree: &Tree, mut found: impl FnMut(&str, usize)) {
    nodes(&tree.root, &mut found);
}

fn nodes(list: &[Node], found: &mut impl FnMut(&str, usize)) {
    for node in list {
        match node {
            Node::Action(taken) | Node::Template { pipeline: Some(taken), .. } => {
                pipeline(taken, found);
            }
            // Whether a body is reached is not known here, nor what its dot will be.
            Node::If(branch) | Node::With(branch) | Node::Range(branch) => {
                pipeline(&branch.pipeline, found);
            }
            Node::Text(_)
            | Node::Template { pipeline: None, .. }
            | Node::Break
            | Node::Continue => {}
        }
    }
}

fn pipeline(taken: &Pipeline, found: &mut impl FnMut(&str, usize)) {
    for part in &taken.commands {
        command(part, found);
    }
}

fn command(part: &Command, found: &mut impl FnMut(&str, usize)) {
    operand(&part.first, found);
    // `and` and `or` may stop at their first.
    let is_lazy = matches!(
        part.first.term,
        Term::Function(function) if matches!(function.kind, Kind::ShortCircuit { .. })
    );
    let most = if is_lazy { 1 } else { usize::MAX };
    for argument in part.arguments.iter().take(most) {
        operand(argument, found);
    }
}

fn operand(taken: &Operand, found: &mut impl FnMut(&str, usize)) {
    match &taken.term {
        Term::Field(names) => names.iter().take(1).for_each(|name| found(name, taken.position)),
        Term::Variable(root, names) if root == "$" => {
            names.iter().take(1).for_each(|name| found(name, taken.position));
        }
        Term::Pipeline(inner) => pipeline(inner, found),
        Term::Chain(inner, _) => operand(inner, found),
        _ => {}
    }
}
