//! `range`: once for each item of a list, a map or a number.

use super::{Evaluated, Evaluation, Flow};
use crate::template::fault::Fault;
use crate::template::tree::{Branch, Pipeline};
use crate::template::value::Value;

impl<'t> Evaluation<'t> {
    /// Runs the body for each item; nothing where there is none.
    pub(super) fn each(&mut self, over: &Value, branch: &'t Branch) -> Evaluated<Option<Flow>> {
        let items: Box<dyn Iterator<Item = (Value, Value)> + '_> = match over {
            Value::Nil => return Ok(None),
            Value::Int(count) | Value::Int64(count) => {
                if branch.pipeline.variables.len() > 1 {
                    let problem = "can't use a number to iterate over more than one variable";
                    return Err(Fault::Number(problem));
                }
                let item = |index| match over {
                    Value::Int64(_) => Value::Int64(index),
                    _ => Value::Int(index),
                };
                Box::new((0..*count).map(move |index| (Value::Nil, item(index))))
            }
            Value::Byte(count) if branch.pipeline.variables.len() <= 1 => {
                Box::new((0..*count).map(|index| (Value::Nil, Value::Byte(index))))
            }
            Value::Texts(texts) => {
                Box::new(counted(texts.iter().map(|text| Value::Text(text.clone()))))
            }
            Value::List(list) => Box::new(counted(list.items.iter().cloned())),
            Value::TextMap(map) => Box::new(
                map.iter().map(|(key, text)| (Value::Text(key.clone()), Value::Text(text.clone()))),
            ),
            Value::Map(map) => Box::new(
                map.entries.iter().map(|(key, value)| (Value::Text(key.clone()), value.clone())),
            ),
            other => return Err(Fault::NotIterable(other.type_name())),
        };
        let mut flow = None;
        let mark = self.variables.len();
        for (index, item) in items {
            self.run.step()?;
            self.set_loop_variables(&branch.pipeline, index, &item)?;
            let ended = self.walk(&item, &branch.body)?;
            self.variables.truncate(mark);
            flow = Some(Flow::On);
            if ended == Flow::Break {
                break;
            }
        }
        Ok(flow)
    }

    fn set_loop_variables(
        &mut self,
        pipeline: &'t Pipeline,
        index: Value,
        item: &Value,
    ) -> Evaluated<()> {
        let (first, second) = match pipeline.variables.as_slice() {
            [] => return Ok(()),
            [only] => ((only, item.clone()), None),
            [first, second, ..] => ((first, index), Some((second, item.clone()))),
        };
        for (name, value) in std::iter::once(first).chain(second) {
            if pipeline.assigns {
                self.assign(name, value)?;
            } else {
                self.set(name, value);
            }
        }
        Ok(())
    }

    /// The newest variable of that name, declared by the pipeline of a range just before.
    fn set(&mut self, name: &'t str, value: Value) {
        if let Some((_, slot)) = self.variables.iter_mut().rev().find(|(known, _)| *known == name) {
            *slot = value;
        }
    }
}

fn counted<'a>(
    items: impl Iterator<Item = Value> + 'a,
) -> impl Iterator<Item = (Value, Value)> + 'a {
    (0..).map(Value::Int).zip(items)
}
