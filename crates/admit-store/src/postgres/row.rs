//! Between rows and domain types: the one place that knows how each is spelt in a column.

use admit_core::admission::Entry;
use admit_core::id::{DeviceNo, EventNo, GateNo, GateSet, KeyNo, ScanId, TicketId, TypeNo, UnixMs};
use admit_core::vault::Sealed;
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use crate::{Result, StoreError};

/// Reads columns by name and says which table was wrong.
pub(super) struct Columns<'a> {
    pub(super) row: &'a Row,
    pub(super) table: &'static str,
}

impl Columns<'_> {
    /// A column that is missing or of another type was written by no version of this program.
    fn read<'a, T: FromSql<'a>>(&'a self, name: &str) -> Result<T> {
        self.row.try_get(name).map_err(|_| self.corrupt(name))
    }

    pub(super) fn int(&self, name: &str) -> Result<i64> {
        self.read(name)
    }

    pub(super) fn int_or_none(&self, name: &str) -> Result<Option<i64>> {
        self.read(name)
    }

    pub(super) fn text(&self, name: &str) -> Result<String> {
        self.read(name)
    }

    pub(super) fn text_or_none(&self, name: &str) -> Result<Option<String>> {
        self.read(name)
    }

    /// Bytes of any length.
    pub(super) fn blob_or_none(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.read(name)
    }

    pub(super) fn bytes<const N: usize>(&self, name: &str) -> Result<[u8; N]> {
        self.bytes_or_none(name)?.ok_or_else(|| self.corrupt(name))
    }

    pub(super) fn bytes_or_none<const N: usize>(&self, name: &str) -> Result<Option<[u8; N]>> {
        let blob: Option<Vec<u8>> = self.read(name)?;
        blob.map(|bytes| bytes.try_into().map_err(|_| self.corrupt(name))).transpose()
    }

    /// Bytes of any length.
    pub(super) fn blob(&self, name: &str) -> Result<Vec<u8>> {
        self.read(name)
    }

    /// A whole number of a smaller type.
    pub(super) fn small<T: TryFrom<i64>>(&self, name: &str) -> Result<T> {
        T::try_from(self.int(name)?).map_err(|_| self.corrupt(name))
    }

    pub(super) fn small_or_none<T: TryFrom<i64>>(&self, name: &str) -> Result<Option<T>> {
        self.int_or_none(name)?
            .map(|value| T::try_from(value).map_err(|_| self.corrupt(name)))
            .transpose()
    }

    pub(super) fn flag(&self, name: &str) -> Result<bool> {
        Ok(self.int(name)? != 0)
    }

    pub(super) fn time(&self, name: &str) -> Result<UnixMs> {
        self.int(name).map(UnixMs)
    }

    pub(super) fn time_or_none(&self, name: &str) -> Result<Option<UnixMs>> {
        Ok(self.int_or_none(name)?.map(UnixMs))
    }

    pub(super) fn sealed(&self, name: &str) -> Result<Sealed> {
        Sealed::parse(self.text(name)?).ok_or_else(|| self.corrupt(name))
    }

    pub(super) fn sealed_or_none(&self, name: &str) -> Result<Option<Sealed>> {
        let text: Option<String> = self.read(name)?;
        text.map(|text| Sealed::parse(text).ok_or_else(|| self.corrupt(name))).transpose()
    }

    pub(super) fn event(&self) -> Result<EventNo> {
        self.small("event").map(EventNo)
    }

    pub(super) fn ticket(&self, name: &str) -> Result<TicketId> {
        Ok(TicketId(self.int(name)?.cast_unsigned()))
    }

    pub(super) fn type_no(&self, name: &str) -> Result<TypeNo> {
        self.small(name).map(TypeNo)
    }

    pub(super) fn gate(&self, name: &str) -> Result<GateNo> {
        self.small(name).map(GateNo)
    }

    pub(super) fn gates(&self) -> Result<GateSet> {
        self.small("gates").map(GateSet)
    }

    pub(super) fn key_no(&self, name: &str) -> Result<KeyNo> {
        self.small(name).map(KeyNo)
    }

    /// The four columns `<prefix>_scan`, `_device`, `_gate`, `_at`.
    pub(super) fn entry(&self, prefix: &str) -> Result<Option<Entry>> {
        let Some(scan) = self.bytes_or_none(&format!("{prefix}_scan"))? else { return Ok(None) };
        Ok(Some(Entry {
            scan: ScanId(scan),
            device: DeviceNo(self.int(&format!("{prefix}_device"))?),
            gate: self.gate(&format!("{prefix}_gate"))?,
            at: self.time(&format!("{prefix}_at"))?,
        }))
    }

    pub(super) fn corrupt(&self, name: &str) -> StoreError {
        StoreError::corrupt(self.table, name)
    }
}

/// All rows of a query, each read by `read`.
pub(super) fn collect<T>(
    rows: &[Row],
    table: &'static str,
    read: impl Fn(&Columns<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    rows.iter().map(|row| read(&Columns { row, table })).collect()
}

/// The first row of a query, read by `read`.
pub(super) fn first<T>(
    rows: &[Row],
    table: &'static str,
    read: impl Fn(&Columns<'_>) -> Result<T>,
) -> Result<Option<T>> {
    rows.first().map(|row| read(&Columns { row, table })).transpose()
}
