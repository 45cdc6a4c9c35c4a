//! The lookup of names, which both crates declare as a trait `Dns`.

/// Implements the trait `Dns` of one of the two crates: the traits are equal but for the crate that they come from.
macro_rules! implement_dns {
    ($nal:ident) => {
        impl<const N: usize, const LEN: usize> $nal::Dns for super::Names<N, LEN> {
            type Error = super::NameError;

            async fn get_host_by_name(
                &self,
                host: &str,
                kind: $nal::AddrType,
            ) -> Result<core::net::IpAddr, super::NameError> {
                ipv4_allowed(kind)?;
                super::names::Lookup::resolve(self, host).map(core::net::IpAddr::V4)
            }

            async fn get_host_by_address(
                &self,
                address: core::net::IpAddr,
                result: &mut [u8],
            ) -> Result<usize, super::NameError> {
                super::names::reverse(self, address, result)
            }
        }

        impl<C> $nal::Dns for super::Connector<'_, C> {
            type Error = super::NameError;

            async fn get_host_by_name(
                &self,
                host: &str,
                kind: $nal::AddrType,
            ) -> Result<core::net::IpAddr, super::NameError> {
                ipv4_allowed(kind)?;
                self.resolve(host).map(core::net::IpAddr::V4)
            }

            async fn get_host_by_address(
                &self,
                address: core::net::IpAddr,
                result: &mut [u8],
            ) -> Result<usize, super::NameError> {
                self.reverse(address, result)
            }
        }

        fn ipv4_allowed(kind: $nal::AddrType) -> Result<(), super::NameError> {
            match kind {
                $nal::AddrType::IPv6 => Err(super::NameError::NotIpv6),
                $nal::AddrType::IPv4 | $nal::AddrType::Either => Ok(()),
            }
        }
    };
}
