//! Who a modem says that it is.

/// What a modem says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Its answer to `AT+CGMI`.
    pub(crate) manufacturer: String,
    /// Its answer to `AT+CGMM`.
    pub(crate) model: String,
}

impl Identity {
    pub(crate) fn manufacturer_has(&self, word: &str) -> bool {
        self.manufacturer.to_lowercase().contains(word)
    }

    pub(crate) fn model_has(&self, word: &str) -> bool {
        self.model.to_lowercase().contains(word)
    }

    /// In words, as the modem has them.
    pub(crate) fn shown(&self) -> String {
        match (self.manufacturer.as_str(), self.model.as_str()) {
            ("", "") => "something that answers AT and does not say who it is".into(),
            (manufacturer, model) => format!("{manufacturer} {model}").trim().into(),
        }
    }
}
