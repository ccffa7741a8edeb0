//! Resources, parameters and outputs: what a template is made of, in no language yet.

use super::value::{Condition, Value};

/// Kinds of resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A Log Analytics workspace.
    Workspace,
    /// A table in it.
    Table,
    /// A data collection rule.
    CollectionRule,
    /// Who may do what.
    RoleAssignment,
    /// Whom alerts notify.
    ActionGroup,
    /// An alert by a query of logs.
    LogAlert,
    /// An alert by a metric.
    MetricAlert,
    /// A page of charts.
    Workbook,
}

impl Kind {
    /// Its type, with the names of its parents.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Workspace => "Microsoft.OperationalInsights/workspaces",
            Self::Table => "Microsoft.OperationalInsights/workspaces/tables",
            Self::CollectionRule => "Microsoft.Insights/dataCollectionRules",
            Self::RoleAssignment => "Microsoft.Authorization/roleAssignments",
            Self::ActionGroup => "Microsoft.Insights/actionGroups",
            Self::LogAlert => "Microsoft.Insights/scheduledQueryRules",
            Self::MetricAlert => "Microsoft.Insights/metricAlerts",
            Self::Workbook => "Microsoft.Insights/workbooks",
        }
    }

    /// The version of its API.
    #[must_use]
    pub const fn version(self) -> &'static str {
        match self {
            Self::Workspace | Self::Table => "2022-10-01",
            Self::CollectionRule => "2023-03-11",
            Self::RoleAssignment | Self::Workbook => "2022-04-01",
            Self::ActionGroup => "2021-09-01",
            Self::LogAlert => "2021-08-01",
            Self::MetricAlert => "2018-03-01",
        }
    }
}

/// A resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Resource {
    /// Its name within the template.
    pub symbol: String,
    /// What it is.
    pub kind: Kind,
    /// Its name in Azure, without those of its parents.
    pub name: Value,
    /// Whether it is there already: then the template only refers to it.
    pub exists: bool,
    /// The symbol of the resource that it is a part of.
    pub parent: Option<String>,
    /// The symbol of the resource that it is about.
    pub scope: Option<String>,
    /// Whether it is made at all.
    pub condition: Option<Condition>,
    /// Symbols of what must be there before, besides what its values name.
    pub after: Vec<String>,
    /// What stands beside its properties: `location`, `kind`.
    pub head: Vec<(&'static str, Value)>,
    /// Its properties.
    pub properties: Vec<(&'static str, Value)>,
}

impl Resource {
    /// A resource without properties.
    pub(super) fn new(symbol: impl Into<String>, kind: Kind, name: impl Into<Value>) -> Self {
        Self {
            symbol: symbol.into(),
            kind,
            name: name.into(),
            exists: false,
            parent: None,
            scope: None,
            condition: None,
            after: Vec::new(),
            head: Vec::new(),
            properties: Vec::new(),
        }
    }

    pub(super) fn location(mut self, place: Value) -> Self {
        self.head.push(("location", place));
        self
    }

    pub(super) fn kind(mut self, kind: &'static str) -> Self {
        self.head.push(("kind", kind.into()));
        self
    }

    pub(super) fn properties<const N: usize>(mut self, properties: [(&'static str, Value); N]) -> Self {
        self.properties = properties.into();
        self
    }

    /// Symbols of all that must be there before it, sorted.
    #[must_use]
    pub fn needs(&self) -> Vec<String> {
        let mut symbols = self.after.clone();
        symbols.extend(self.parent.clone().into_iter().chain(self.scope.clone()));
        self.name.needs(&mut symbols);
        for (_, value) in self.head.iter().chain(&self.properties) {
            value.needs(&mut symbols);
        }
        symbols.sort();
        symbols.dedup();
        symbols
    }
}

/// A parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: ParameterKind,
    /// Its value unless one is given; `None` if one must be.
    pub default: Option<Value>,
    /// What it is for.
    pub about: &'static str,
}

/// Types of parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterKind {
    /// A text.
    Text,
    /// A text that nobody may read in the deployment's record.
    Secret,
    /// True or false.
    Bool,
}

/// What a deployment answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Its name.
    pub name: &'static str,
    /// Its value, a text.
    pub value: Value,
}

/// A template.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// What it is for, in a sentence.
    pub about: String,
    /// Its parameters.
    pub parameters: Vec<Parameter>,
    /// Its resources, those that others need first.
    pub resources: Vec<Resource>,
    /// What a deployment answers.
    pub outputs: Vec<Output>,
}

impl Template {
    /// The resource of a symbol.
    #[must_use]
    pub fn resource(&self, symbol: &str) -> Option<&Resource> {
        self.resources.iter().find(|own| own.symbol == symbol)
    }

    /// Adds a resource; a symbol that is taken gets a number.
    pub(super) fn add(&mut self, mut resource: Resource) {
        let wanted = resource.symbol.clone();
        let mut number = 1;
        while self.resource(&resource.symbol).is_some() {
            number += 1;
            resource.symbol = format!("{wanted}_{number}");
        }
        self.resources.push(resource);
    }
}
