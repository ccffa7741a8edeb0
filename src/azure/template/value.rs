//! Values of a template: constants, and the few expressions that the templates need, before they are written in a
//! language.

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A text, as it is meant: each language escapes it.
    Text(String),
    /// A whole number.
    Int(i64),
    /// A finite number.
    Real(f64),
    /// True or false.
    Bool(bool),
    /// A list.
    List(Vec<Self>),
    /// Keys and values in their order.
    Map(Vec<(&'static str, Self)>),
    /// A parameter of the template.
    Parameter(&'static str),
    /// The place of the resource group.
    Location,
    /// The id of the resource group.
    Group,
    /// The id of a resource of the template, by its symbol.
    Id(String),
    /// What a resource says of itself once it is there: the path below its properties.
    State(String, &'static [&'static str]),
    /// The same of a resource that the template does not make: the parameter with its id, the version of the API, the path.
    StateOf(&'static str, &'static str, &'static [&'static str]),
    /// A role of Azure, by its id.
    Role(&'static str),
    /// An id that follows from these values: the same in every deployment.
    Guid(Vec<Self>),
    /// One of two values.
    When(Condition, Box<Self>, Box<Self>),
}

/// A question that is answered when the template is deployed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Whether the parameter is a text that is not empty.
    Given(&'static str),
    /// Whether the parameter is true.
    IsTrue(&'static str),
}

impl Value {
    /// Whether it is an expression and no constant, list or map.
    #[must_use]
    pub const fn is_expression(&self) -> bool {
        !matches!(
            self,
            Self::Text(_) | Self::Int(_) | Self::Real(_) | Self::Bool(_) | Self::List(_) | Self::Map(_)
        )
    }

    /// Adds the symbols of the resources that must be there before.
    pub(super) fn needs(&self, symbols: &mut Vec<String>) {
        match self {
            Self::Id(symbol) | Self::State(symbol, _) => symbols.push(symbol.clone()),
            Self::List(all) | Self::Guid(all) => all.iter().for_each(|own| own.needs(symbols)),
            Self::Map(entries) => entries.iter().for_each(|(_, own)| own.needs(symbols)),
            Self::When(_, then, other) => {
                then.needs(symbols);
                other.needs(symbols);
            }
            Self::Text(_)
            | Self::Int(_)
            | Self::Real(_)
            | Self::Bool(_)
            | Self::Parameter(_)
            | Self::Location
            | Self::Group
            | Self::StateOf(..)
            | Self::Role(_) => {}
        }
    }
}

/// A map of these entries.
pub(super) fn map<const N: usize>(entries: [(&'static str, Value); N]) -> Value {
    Value::Map(entries.into())
}

/// A list of these items.
pub(super) fn list<T: Into<Value>>(items: impl IntoIterator<Item = T>) -> Value {
    Value::List(items.into_iter().map(Into::into).collect())
}

/// `then` under a condition, else an empty list.
pub(super) fn when(condition: Condition, then: Value) -> Value {
    Value::When(condition, Box::new(then), Box::new(Value::List(Vec::new())))
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Value {
    fn from(own: bool) -> Self {
        Self::Bool(own)
    }
}

impl From<i64> for Value {
    fn from(own: i64) -> Self {
        Self::Int(own)
    }
}

impl From<f64> for Value {
    fn from(own: f64) -> Self {
        Self::Real(own)
    }
}
