//! The clouds of Azure: each has an Entra and audiences of its own.

/// A cloud of Azure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cloud {
    /// Azure itself.
    #[default]
    Public,
    /// Azure in China, operated by 21Vianet.
    China,
    /// Azure for the government of the United States.
    Government,
}

impl Cloud {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Public, Self::China, Self::Government];

    /// The word for it in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::China => "china",
            Self::Government => "government",
        }
    }

    /// The cloud of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cloud| cloud.name() == name)
    }

    /// Where its Entra is asked.
    #[must_use]
    pub const fn authority(self) -> &'static str {
        match self {
            Self::Public => crate::entra::AUTHORITY,
            Self::China => "https://login.chinacloudapi.cn",
            Self::Government => "https://login.microsoftonline.us",
        }
    }

    /// The resource of tokens for the Logs Ingestion API, for Application Insights and for Prometheus.
    #[must_use]
    pub const fn monitor(self) -> &'static str {
        match self {
            Self::Public => "https://monitor.azure.com",
            Self::China => "https://monitor.azure.cn",
            Self::Government => "https://monitor.azure.us",
        }
    }

    /// The resource of tokens for custom metrics, which is another one.
    #[must_use]
    pub const fn metrics(self) -> &'static str {
        match self {
            Self::Public => "https://monitoring.azure.com",
            Self::China => "https://monitoring.azure.cn",
            Self::Government => "https://monitoring.azure.us",
        }
    }

    /// The resource of tokens for Azure Resource Manager.
    #[must_use]
    pub const fn manager(self) -> &'static str {
        match self {
            Self::Public => "https://management.azure.com",
            Self::China => "https://management.chinacloudapi.cn",
            Self::Government => "https://management.usgovcloudapi.net",
        }
    }
}
