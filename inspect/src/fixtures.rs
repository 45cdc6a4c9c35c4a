//! Test credentials, made by openssl 3.0 with throw-away keys. These commands make others:
//!
//! ```text
//! openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out rsa_pkcs8.pem
//! openssl pkey -in rsa_pkcs8.pem -traditional -out rsa_pkcs1.pem
//! openssl pkcs8 -topk8 -in rsa_pkcs8.pem -passout pass:secret -out rsa_pkcs8_encrypted.pem
//! openssl rsa -in rsa_pkcs8.pem -traditional -aes128 -passout pass:secret -out rsa_pkcs1_encrypted.pem
//! openssl pkey -in rsa_pkcs8.pem -pubout -out rsa_public.pem
//! openssl rsa -in rsa_pkcs8.pem -RSAPublicKey_out -out rsa_public_pkcs1.pem
//! openssl req -new -key rsa_pkcs8.pem -subj /CN=device -out rsa_request.pem
//! openssl ecparam -name prime256v1 -genkey -out p256_sec1_parameters.pem      # EC PARAMETERS, then EC PRIVATE KEY
//! openssl ec -in p256_sec1_parameters.pem -out p256_sec1.pem
//! openssl ec -in p256_sec1_parameters.pem -no_public -out p256_sec1_no_public.pem
//! openssl pkcs8 -topk8 -nocrypt -in p256_sec1.pem -out p256_pkcs8.pem
//! openssl pkcs8 -topk8 -nocrypt -in p256_sec1_no_public.pem -out p256_pkcs8_no_public.pem
//! openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out p384_pkcs8.pem
//! openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521 -out p521_pkcs8.pem
//! openssl genpkey -algorithm ED25519 -out ed25519_pkcs8.pem
//! openssl req -x509 -new -key p256_sec1.pem -subj "/O=sectag/CN=test CA" -days 3650 -out p256_ca.pem
//! openssl req -new -key rsa_pkcs8.pem -subj /CN=device -out t.csr && openssl x509 -req -in t.csr -CA p256_ca.pem -CAkey p256_sec1.pem -days 3650 -set_serial 7 -extfile leaf.cnf -out rsa_leaf.pem
//! openssl req -new -key p384_pkcs8.pem -subj /CN=device -out t.csr && openssl x509 -req -in t.csr -CA p256_ca.pem -CAkey p256_sec1.pem -days 3650 -set_serial 7 -extfile leaf.cnf -out p384_leaf.pem
//! openssl req -new -key p521_pkcs8.pem -subj /CN=device -out t.csr && openssl x509 -req -in t.csr -CA p256_ca.pem -CAkey p256_sec1.pem -days 3650 -set_serial 7 -extfile leaf.cnf -out p521_leaf.pem
//! openssl req -new -key ed25519_pkcs8.pem -subj /CN=device -out t.csr && openssl x509 -req -in t.csr -CA p256_ca.pem -CAkey p256_sec1.pem -days 3650 -set_serial 7 -extfile leaf.cnf -out ed25519_leaf.pem
//! openssl req -x509 -new -key p384_pkcs8.pem -subj /CN=broker -days 36500 -addext basicConstraints=critical,CA:FALSE -out p384_self_signed_leaf.pem
//! openssl req -new -key p256_sec1.pem -subj /CN=v1 -out t.csr && openssl x509 -req -in t.csr -signkey p256_sec1.pem -days 3650 -set_serial 1 -out p256_v1.pem
//! openssl x509 -in p384_leaf.pem -text -out p384_leaf_text.pem
//! openssl x509 -in p256_ca.pem -trustout -addtrust serverAuth -out p256_ca_trusted.pem
//! openssl ecparam -name prime256v1 -param_enc explicit -genkey -noout -out p256_explicit.pem
//! openssl ec -in p256_sec1_parameters.pem -conv_form compressed -out p256_compressed.pem
//! ```
//!
//! `leaf.cnf` is the line `basicConstraints=critical,CA:FALSE`.

pub(super) const ED25519_LEAF: &str = "\
-----BEGIN CERTIFICATE-----
MIIBQzCB6qADAgECAgEHMAoGCCqGSM49BAMCMCMxDzANBgNVBAoMBnNlY3RhZzEQ
MA4GA1UEAwwHdGVzdCBDQTAeFw0yNjExMjAxNTE1MTdaFw0zNjExMTcxNTE1MTda
MBExDzANBgNVBAMMBmRldmljZTAqMAUGAytlcAMhAFaI45BbrxibKHw7dc8ohjQP
nuOwf5nEoPPzLJ7rINJZo1AwTjAMBgNVHRMBAf8EAjAAMB0GA1UdDgQWBBSxHxSW
+QxBdqEP1P8g0o12d2p1HTAfBgNVHSMEGDAWgBSUjigB+tEMVcNWGxz8a7MvDtcv
RjAKBggqhkjOPQQDAgNIADBFAiBBifAE1TPGZRobCaViJi2gioOHi6SJ2LNmEZeB
BMp1LgIhAPdo+v4CXXLXj+TpjwPFLk3WgAO9tCcLHAOBT5BNY0pT
-----END CERTIFICATE-----
";

pub(super) const ED25519_PKCS8: &str = "\
-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJVF3b+GoUPszunl0HEYz09rcoONMN90I4hBbvQPm+se
-----END PRIVATE KEY-----
";

pub(super) const P256_CA: &str = "\
-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIUBfTWKg28xwDd4SFINYmEi0qOylAwCgYIKoZIzj0EAwIw
IzEPMA0GA1UECgwGc2VjdGFnMRAwDgYDVQQDDAd0ZXN0IENBMB4XDTI2MTEyMDE1
MTUxNloXDTM2MTExNzE1MTUxNlowIzEPMA0GA1UECgwGc2VjdGFnMRAwDgYDVQQD
DAd0ZXN0IENBMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE0MdRMk5uV8xfZ33p
pzn5znOxpUQSNIq8vkRUHnmPERxlUsnske2BinbLfvN9XKdYecPJDdsdOitkOIwj
oI9VkqNTMFEwHQYDVR0OBBYEFJSOKAH60QxVw1YbHPxrsy8O1y9GMB8GA1UdIwQY
MBaAFJSOKAH60QxVw1YbHPxrsy8O1y9GMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZI
zj0EAwIDSAAwRQIgZcqw5Xi525clHYgh+BC0fn/6TgM8jZRRLK8eUbz9XKoCIQD/
n8PrymC58uDv6YHmVzunDzmdtroc3+X3o2VD2yUxng==
-----END CERTIFICATE-----
";

pub(super) const P256_CA_TRUSTED: &str = "\
-----BEGIN TRUSTED CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIUBfTWKg28xwDd4SFINYmEi0qOylAwCgYIKoZIzj0EAwIw
IzEPMA0GA1UECgwGc2VjdGFnMRAwDgYDVQQDDAd0ZXN0IENBMB4XDTI2MTEyMDE1
MTUxNloXDTM2MTExNzE1MTUxNlowIzEPMA0GA1UECgwGc2VjdGFnMRAwDgYDVQQD
DAd0ZXN0IENBMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE0MdRMk5uV8xfZ33p
pzn5znOxpUQSNIq8vkRUHnmPERxlUsnske2BinbLfvN9XKdYecPJDdsdOitkOIwj
oI9VkqNTMFEwHQYDVR0OBBYEFJSOKAH60QxVw1YbHPxrsy8O1y9GMB8GA1UdIwQY
MBaAFJSOKAH60QxVw1YbHPxrsy8O1y9GMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZI
zj0EAwIDSAAwRQIgZcqw5Xi525clHYgh+BC0fn/6TgM8jZRRLK8eUbz9XKoCIQD/
n8PrymC58uDv6YHmVzunDzmdtroc3+X3o2VD2yUxnjAMMAoGCCsGAQUFBwMB
-----END TRUSTED CERTIFICATE-----
";

pub(super) const P256_COMPRESSED: &str = "\
-----BEGIN EC PRIVATE KEY-----
MFcCAQEEIMD13dqhZSZYwYKms6tft6K7eKySB85xAziyX3FZ3xAfoAoGCCqGSM49
AwEHoSQDIgAC0MdRMk5uV8xfZ33ppzn5znOxpUQSNIq8vkRUHnmPERw=
-----END EC PRIVATE KEY-----
";

pub(super) const P256_EXPLICIT: &str = "\
-----BEGIN EC PRIVATE KEY-----
MIIBaAIBAQQgFCRTuG1GxAvOIX1topgpXBTtWVHmG6ut0COZtXp1BGWggfowgfcC
AQEwLAYHKoZIzj0BAQIhAP////8AAAABAAAAAAAAAAAAAAAA////////////////
MFsEIP////8AAAABAAAAAAAAAAAAAAAA///////////////8BCBaxjXYqjqT57Pr
vVV2mIa8ZR0GsMxTsPY7zjw+J9JgSwMVAMSdNgiG5wSTamZ44ROdJreBn36QBEEE
axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54W
K84zV2sxXs7LtkBoN79R9QIhAP////8AAAAA//////////+85vqtpxeehPO5ysL8
YyVRAgEBoUQDQgAEH27CyeF5bydJd6jy4uQ486GZZaucE02oMf3lCUFIGxSzLwMs
xxZk2Bq0tGb1jPM1Nr5n/IhfdUMxT2leMaJXCg==
-----END EC PRIVATE KEY-----
";

pub(super) const P256_PKCS8: &str = "\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgwPXd2qFlJljBgqaz
q1+3ort4rJIHznEDOLJfcVnfEB+hRANCAATQx1EyTm5XzF9nfemnOfnOc7GlRBI0
iry+RFQeeY8RHGVSyeyR7YGKdst+831cp1h5w8kN2x06K2Q4jCOgj1WS
-----END PRIVATE KEY-----
";

pub(super) const P256_PKCS8_NO_PUBLIC: &str = "\
-----BEGIN PRIVATE KEY-----
MEECAQAwEwYHKoZIzj0CAQYIKoZIzj0DAQcEJzAlAgEBBCDA9d3aoWUmWMGCprOr
X7eiu3iskgfOcQM4sl9xWd8QHw==
-----END PRIVATE KEY-----
";

pub(super) const P256_SEC1: &str = "\
-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIMD13dqhZSZYwYKms6tft6K7eKySB85xAziyX3FZ3xAfoAoGCCqGSM49
AwEHoUQDQgAE0MdRMk5uV8xfZ33ppzn5znOxpUQSNIq8vkRUHnmPERxlUsnske2B
inbLfvN9XKdYecPJDdsdOitkOIwjoI9Vkg==
-----END EC PRIVATE KEY-----
";

pub(super) const P256_SEC1_NO_PUBLIC: &str = "\
-----BEGIN EC PRIVATE KEY-----
MDECAQEEIMD13dqhZSZYwYKms6tft6K7eKySB85xAziyX3FZ3xAfoAoGCCqGSM49
AwEH
-----END EC PRIVATE KEY-----
";

pub(super) const P256_SEC1_PARAMETERS: &str = "\
-----BEGIN EC PARAMETERS-----
BggqhkjOPQMBBw==
-----END EC PARAMETERS-----
-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIMD13dqhZSZYwYKms6tft6K7eKySB85xAziyX3FZ3xAfoAoGCCqGSM49
AwEHoUQDQgAE0MdRMk5uV8xfZ33ppzn5znOxpUQSNIq8vkRUHnmPERxlUsnske2B
inbLfvN9XKdYecPJDdsdOitkOIwjoI9Vkg==
-----END EC PRIVATE KEY-----
";

pub(super) const P256_V1: &str = "\
-----BEGIN CERTIFICATE-----
MIIBATCBqAIBATAKBggqhkjOPQQDAjANMQswCQYDVQQDDAJ2MTAeFw0yNjExMjAx
NTE1MTdaFw0zNjExMTcxNTE1MTdaMA0xCzAJBgNVBAMMAnYxMFkwEwYHKoZIzj0C
AQYIKoZIzj0DAQcDQgAE0MdRMk5uV8xfZ33ppzn5znOxpUQSNIq8vkRUHnmPERxl
Usnske2BinbLfvN9XKdYecPJDdsdOitkOIwjoI9VkjAKBggqhkjOPQQDAgNIADBF
AiEAk+wRs3xV95nIdQmS46tpySwei4e+o89SNRDFp3msTKcCICNjGBQ7K5Y7Bb5r
hpN+X60YaXsKgTzIYFUgE9q2wPHp
-----END CERTIFICATE-----
";

pub(super) const P384_LEAF: &str = "\
-----BEGIN CERTIFICATE-----
MIIBkDCCATagAwIBAgIBBzAKBggqhkjOPQQDAjAjMQ8wDQYDVQQKDAZzZWN0YWcx
EDAOBgNVBAMMB3Rlc3QgQ0EwHhcNMjYxMTIwMTUxNTE2WhcNMzYxMTE3MTUxNTE2
WjARMQ8wDQYDVQQDDAZkZXZpY2UwdjAQBgcqhkjOPQIBBgUrgQQAIgNiAAQlQC/8
ExdmNStKGnCC/DGVljFU82mk/bxuctvOo58/AXl8ewQx/BZMambSnJFILtagdltf
F66wH7Wky7nCFQPoIcH84895tAv+R4oyD4Ehzglf1hsn8VBb8mrBwF44IbqjUDBO
MAwGA1UdEwEB/wQCMAAwHQYDVR0OBBYEFIyc5+7WwnRVZq6oty/uKPOFKk4rMB8G
A1UdIwQYMBaAFJSOKAH60QxVw1YbHPxrsy8O1y9GMAoGCCqGSM49BAMCA0gAMEUC
IHW5nWoiG8pXxJR7VjpY9hDqtKVA7W53RIWJMFE89RPQAiEAq6Ux+4LCwr8cCPKS
VXScygfcjtG55HSrLfyFmNPz8RQ=
-----END CERTIFICATE-----
";

pub(super) const P384_LEAF_TEXT: &str = "\
Certificate:
    Data:
        Version: 3 (0x2)
        Serial Number: 7 (0x7)
        Signature Algorithm: ecdsa-with-SHA256
        Issuer: O = sectag, CN = test CA
        Validity
            Not Before: Nov 20 15:15:16 2026 GMT
            Not After : Nov 17 15:15:16 2036 GMT
        Subject: CN = device
        Subject Public Key Info:
            Public Key Algorithm: id-ecPublicKey
                Public-Key: (384 bit)
                pub:
                    04:25:40:2f:fc:13:17:66:35:2b:4a:1a:70:82:fc:
                    31:95:96:31:54:f3:69:a4:fd:bc:6e:72:db:ce:a3:
                    9f:3f:01:79:7c:7b:04:31:fc:16:4c:6a:66:d2:9c:
                    91:48:2e:d6:a0:76:5b:5f:17:ae:b0:1f:b5:a4:cb:
                    b9:c2:15:03:e8:21:c1:fc:e3:cf:79:b4:0b:fe:47:
                    8a:32:0f:81:21:ce:09:5f:d6:1b:27:f1:50:5b:f2:
                    6a:c1:c0:5e:38:21:ba
                ASN1 OID: secp384r1
                NIST CURVE: P-384
        X509v3 extensions:
            X509v3 Basic Constraints: critical
                CA:FALSE
            X509v3 Subject Key Identifier: 
                8C:9C:E7:EE:D6:C2:74:55:66:AE:A8:B7:2F:EE:28:F3:85:2A:4E:2B
            X509v3 Authority Key Identifier: 
                94:8E:28:01:FA:D1:0C:55:C3:56:1B:1C:FC:6B:B3:2F:0E:D7:2F:46
    Signature Algorithm: ecdsa-with-SHA256
    Signature Value:
        30:45:02:20:75:b9:9d:6a:22:1b:ca:57:c4:94:7b:56:3a:58:
        f6:10:ea:b4:a5:40:ed:6e:77:44:85:89:30:51:3c:f5:13:d0:
        02:21:00:ab:a5:31:fb:82:c2:c2:bf:1c:08:f2:92:55:74:9c:
        ca:07:dc:8e:d1:b9:e4:74:ab:2d:fc:85:98:d3:f3:f1:14
-----BEGIN CERTIFICATE-----
MIIBkDCCATagAwIBAgIBBzAKBggqhkjOPQQDAjAjMQ8wDQYDVQQKDAZzZWN0YWcx
EDAOBgNVBAMMB3Rlc3QgQ0EwHhcNMjYxMTIwMTUxNTE2WhcNMzYxMTE3MTUxNTE2
WjARMQ8wDQYDVQQDDAZkZXZpY2UwdjAQBgcqhkjOPQIBBgUrgQQAIgNiAAQlQC/8
ExdmNStKGnCC/DGVljFU82mk/bxuctvOo58/AXl8ewQx/BZMambSnJFILtagdltf
F66wH7Wky7nCFQPoIcH84895tAv+R4oyD4Ehzglf1hsn8VBb8mrBwF44IbqjUDBO
MAwGA1UdEwEB/wQCMAAwHQYDVR0OBBYEFIyc5+7WwnRVZq6oty/uKPOFKk4rMB8G
A1UdIwQYMBaAFJSOKAH60QxVw1YbHPxrsy8O1y9GMAoGCCqGSM49BAMCA0gAMEUC
IHW5nWoiG8pXxJR7VjpY9hDqtKVA7W53RIWJMFE89RPQAiEAq6Ux+4LCwr8cCPKS
VXScygfcjtG55HSrLfyFmNPz8RQ=
-----END CERTIFICATE-----
";

pub(super) const P384_PKCS8: &str = "\
-----BEGIN PRIVATE KEY-----
MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDBqXVxo1oILQiFfkc7S
emBfzNfEGRqMJzGtaCbTtaIok70bLiS+lYcx7lz7x7pYWNmhZANiAAQlQC/8Exdm
NStKGnCC/DGVljFU82mk/bxuctvOo58/AXl8ewQx/BZMambSnJFILtagdltfF66w
H7Wky7nCFQPoIcH84895tAv+R4oyD4Ehzglf1hsn8VBb8mrBwF44Ibo=
-----END PRIVATE KEY-----
";

pub(super) const P384_SELF_SIGNED_LEAF: &str = "\
-----BEGIN CERTIFICATE-----
MIIBszCCATmgAwIBAgIUSlhY4qqjVsr0BGqVTzSwYHfCSF8wCgYIKoZIzj0EAwIw
ETEPMA0GA1UEAwwGYnJva2VyMCAXDTI2MTEyMDE1MTUxN1oYDzIxMjYxMDI3MTUx
NTE3WjARMQ8wDQYDVQQDDAZicm9rZXIwdjAQBgcqhkjOPQIBBgUrgQQAIgNiAAQl
QC/8ExdmNStKGnCC/DGVljFU82mk/bxuctvOo58/AXl8ewQx/BZMambSnJFILtag
dltfF66wH7Wky7nCFQPoIcH84895tAv+R4oyD4Ehzglf1hsn8VBb8mrBwF44Ibqj
UDBOMB0GA1UdDgQWBBSMnOfu1sJ0VWauqLcv7ijzhSpOKzAfBgNVHSMEGDAWgBSM
nOfu1sJ0VWauqLcv7ijzhSpOKzAMBgNVHRMBAf8EAjAAMAoGCCqGSM49BAMCA2gA
MGUCMQCbCvVESiGdgOfvWDPJVb6CYq9ArU/2Gk64odwpKrJl2H/+9JBxG54dI4s1
xM8ZFdMCMHdwzLRcD+BmW+hwsgWRWWIZVW7EGvx5FUeZZrnEbHGXRVBw3eQFOfOp
hO+i/E6xgQ==
-----END CERTIFICATE-----
";

pub(super) const P521_LEAF: &str = "\
-----BEGIN CERTIFICATE-----
MIIBtTCCAVygAwIBAgIBBzAKBggqhkjOPQQDAjAjMQ8wDQYDVQQKDAZzZWN0YWcx
EDAOBgNVBAMMB3Rlc3QgQ0EwHhcNMjYxMTIwMTUxNTE2WhcNMzYxMTE3MTUxNTE2
WjARMQ8wDQYDVQQDDAZkZXZpY2UwgZswEAYHKoZIzj0CAQYFK4EEACMDgYYABACA
GiiA30/viLCHrlSfsxhOXVd6lMKOBfnbTJAG3QKbZeaebkR3gxiJiaIvspexZK9/
47SkHTtmUU1UryVhLvXiLwGuZKVDvZyxUZT6PjOuTAdknXPh1jMj/HsksdwA3FqW
+l24OYCGlU60q5VGjIEEtj+tb+brK22ECqXYVlyetjGxd6NQME4wDAYDVR0TAQH/
BAIwADAdBgNVHQ4EFgQUvllJV6fGMdHRvwnwmZ2ymk7e3PEwHwYDVR0jBBgwFoAU
lI4oAfrRDFXDVhsc/GuzLw7XL0YwCgYIKoZIzj0EAwIDRwAwRAIgDULeSKolvtfV
nVcfLw05peE75sk/y6AXjrB8Ktv64RYCIDZ8/+bdB1aRRG6j51+lav0qNCDFkgB/
hi0K1xdTlOcA
-----END CERTIFICATE-----
";

pub(super) const P521_PKCS8: &str = "\
-----BEGIN PRIVATE KEY-----
MIHuAgEAMBAGByqGSM49AgEGBSuBBAAjBIHWMIHTAgEBBEIAcBSFItkCnbiPubj0
FxuyGWgSdlNR9oMafVL9QZhCGj+SMhVLBNV96d2jnbuP+ncxzQSSNtOokzfcaO8W
SbR+EguhgYkDgYYABACAGiiA30/viLCHrlSfsxhOXVd6lMKOBfnbTJAG3QKbZeae
bkR3gxiJiaIvspexZK9/47SkHTtmUU1UryVhLvXiLwGuZKVDvZyxUZT6PjOuTAdk
nXPh1jMj/HsksdwA3FqW+l24OYCGlU60q5VGjIEEtj+tb+brK22ECqXYVlyetjGx
dw==
-----END PRIVATE KEY-----
";

pub(super) const RSA_LEAF: &str = "\
-----BEGIN CERTIFICATE-----
MIIBuzCCAWCgAwIBAgIBBzAKBggqhkjOPQQDAjAjMQ8wDQYDVQQKDAZzZWN0YWcx
EDAOBgNVBAMMB3Rlc3QgQ0EwHhcNMjYxMTIwMTUxNTE2WhcNMzYxMTE3MTUxNTE2
WjARMQ8wDQYDVQQDDAZkZXZpY2UwgZ8wDQYJKoZIhvcNAQEBBQADgY0AMIGJAoGB
APt7WUtvRf/guMn5NANAwC7AGHmIaq4/DNgj4AhO0wT5fjGS3JThIKIZPhp4IabG
caSojGhfB9L+l15oIgS5W1A5oC8W/Vb1fab9QFTcZbqbJ4ToPQs3bxWm0nVgTolX
6wpMhtzYPhcvlNzK8fg454JeS46lqD+iK4+vDNXYpBY5AgMBAAGjUDBOMAwGA1Ud
EwEB/wQCMAAwHQYDVR0OBBYEFF12pd0S/Zvx4Dz1ehAAnhEZ2Ri6MB8GA1UdIwQY
MBaAFJSOKAH60QxVw1YbHPxrsy8O1y9GMAoGCCqGSM49BAMCA0kAMEYCIQCkSdy3
pB/0iBw58JRa8BVTc1CcCje1RyAev6vGcPpMKwIhAMkVnoH+879S8M8z8W56MRkr
F6hRJbU7n+C6Xawx5gWV
-----END CERTIFICATE-----
";

pub(super) const RSA_PKCS1: &str = "\
-----BEGIN RSA PRIVATE KEY-----
MIICXQIBAAKBgQD7e1lLb0X/4LjJ+TQDQMAuwBh5iGquPwzYI+AITtME+X4xktyU
4SCiGT4aeCGmxnGkqIxoXwfS/pdeaCIEuVtQOaAvFv1W9X2m/UBU3GW6myeE6D0L
N28VptJ1YE6JV+sKTIbc2D4XL5TcyvH4OOeCXkuOpag/oiuPrwzV2KQWOQIDAQAB
AoGAME6gd4IXczCKrpmFKT7N6+0Qhn/y5ifMYtR5W38wv9rhJ8qrPpoEN78bk+AR
rsSd3eBWoFHo4dnv372nEzs708rTJBwXdHxl6bawALOc8WuVRrThnsto7pL+4pcm
zN6pmgvxN6be8WcP1IU2jm6A0HPCSe5q+0f9oQ03WSshoQECQQD+H9H0i7/KCCrS
98V7fXTJaDeKd5ph13TIb79zaVPgHvqfh4CdxavD19edAefHa+xZHghiBxPbZ7/1
PgRbdq9ZAkEA/VaJHWjQdQDXB/Fqb/E4NFF3QO3k4wTjyxk1D3UPShLvdCe74imt
FUnkCDwVoKfLsYtbgVQQ5NJ45cjpzNWh4QJBAJeRAviIIWuuU1xgyzhMK0u1DOtZ
Sorwpoaln9qGB7C0yWY8u0lejIPSSJcse8FFbUH516Yf8of56VOsGY0zzIECQGaJ
xgmvSOByrJY8cpZIjjUu3BPdtgzlB8ZGt6FAAiY7L8xV4MgTkkjRlYh3uVFDWUDN
ZQYdnpDfV6u5/Fe6CEECQQCdIemX4Urn1FT+tQLr/d0r4sOwuLmdW5hbEWJLUXs6
N4zBPSFnuqmVoG5OyjU7rOLhfY+45+6NkO7TlvrcU0Il
-----END RSA PRIVATE KEY-----
";

pub(super) const RSA_PKCS1_ENCRYPTED: &str = "\
-----BEGIN RSA PRIVATE KEY-----
Proc-Type: 4,ENCRYPTED
DEK-Info: AES-128-CBC,AEB197C1E8128D81B4AAF734B4531080

feCsFgUKr8OGEsfRKdB762xmmOKqCXWVVVyTzeW4eukhyL6pSp2GM3nHJeqWrmg/
Agm4TxMJye7vYotNanMkMtlt8B/BgujO3Thg95nBnA/kBSap5IOo0Kbn5EPJnsDZ
OPzn3h9OMAZt3f/1+Z2iuhPOSrjQKbfJXySlVHHE564yEzTGzN+H+mr+j7nD1mkt
CNP4BhfSBFY7phhOwkBlaeHPVnbJgMJfJSrWuNAuBryg7k8IBRxddVZdveTpoFRn
Zc8XDQHEYjoqWqMHbNDKhOUuOe8e7sz0YLfK5C6COIEB+99dGLPrfTL7ePo1szqZ
ndEwXD8fLcnv1OahMTOcw4Zh8MmZZwCWwmPuMvq/cnuvYA+2g5Lhb0qpXes88T9W
yGHqsWIXwkagXpUSImqGKhQXlf9ZpOyvIk0nH2FUnhkmBC+62no/It9BGWqa0exr
jgNtnNUsvWrEC1SEm1YVSgUjfJ75ctiCBCYaYQ+UXkXvHU1fcCTvbVOlq7rJkTyf
ft4plBtpi6UNQHmP3RAH2O9b53OF4ENDkUVW+ZVBwgjGxvkJoR3vDWCfnBYzfUPV
J6nOSFvrr7sTSOdhqdKb/BVC9A2Nm0Ok4/kMLIC8S1S4HpAgHCO85IYrWHUQDvlR
IA9vzf7g8wzOuPKTJOIv34lUrIy4W6RxCyHPaU5fEY2szRrD5G25icSgQ47gZbP5
dJ2V2cZcltNyBCkEbdtJt+lzS3UxVYDM/MiIdWHMHWMaDrUShA+2QUVAZPKyOVj7
Inz+TSvKMEM1xb9R4Cz1jI1KuPd0lP0YGu5CwNV0PicMI3T/Gh3UUXxnIPUD1EWI
-----END RSA PRIVATE KEY-----
";

pub(super) const RSA_PKCS8: &str = "\
-----BEGIN PRIVATE KEY-----
MIICdwIBADANBgkqhkiG9w0BAQEFAASCAmEwggJdAgEAAoGBAPt7WUtvRf/guMn5
NANAwC7AGHmIaq4/DNgj4AhO0wT5fjGS3JThIKIZPhp4IabGcaSojGhfB9L+l15o
IgS5W1A5oC8W/Vb1fab9QFTcZbqbJ4ToPQs3bxWm0nVgTolX6wpMhtzYPhcvlNzK
8fg454JeS46lqD+iK4+vDNXYpBY5AgMBAAECgYAwTqB3ghdzMIqumYUpPs3r7RCG
f/LmJ8xi1HlbfzC/2uEnyqs+mgQ3vxuT4BGuxJ3d4FagUejh2e/fvacTOzvTytMk
HBd0fGXptrAAs5zxa5VGtOGey2jukv7ilybM3qmaC/E3pt7xZw/UhTaOboDQc8JJ
7mr7R/2hDTdZKyGhAQJBAP4f0fSLv8oIKtL3xXt9dMloN4p3mmHXdMhvv3NpU+Ae
+p+HgJ3Fq8PX150B58dr7FkeCGIHE9tnv/U+BFt2r1kCQQD9VokdaNB1ANcH8Wpv
8Tg0UXdA7eTjBOPLGTUPdQ9KEu90J7viKa0VSeQIPBWgp8uxi1uBVBDk0njlyOnM
1aHhAkEAl5EC+Igha65TXGDLOEwrS7UM61lKivCmhqWf2oYHsLTJZjy7SV6Mg9JI
lyx7wUVtQfnXph/yh/npU6wZjTPMgQJAZonGCa9I4HKsljxylkiONS7cE922DOUH
xka3oUACJjsvzFXgyBOSSNGViHe5UUNZQM1lBh2ekN9Xq7n8V7oIQQJBAJ0h6Zfh
SufUVP61Auv93Sviw7C4uZ1bmFsRYktRezo3jME9IWe6qZWgbk7KNTus4uF9j7jn
7o2Q7tOW+txTQiU=
-----END PRIVATE KEY-----
";

pub(super) const RSA_PKCS8_ENCRYPTED: &str = "\
-----BEGIN ENCRYPTED PRIVATE KEY-----
MIIC3TBXBgkqhkiG9w0BBQ0wSjApBgkqhkiG9w0BBQwwHAQI9sViz5FgTakCAggA
MAwGCCqGSIb3DQIJBQAwHQYJYIZIAWUDBAEqBBAAea+GnVibS4w6jnlAs6GjBIIC
gE7s6cz2MuMUR8tiRDi9+doNnGuFh1OZweE2Fdy5vnKYyxTgUmD0vtk609YEUvmv
9g2DmaPmhANZ4Yx3cljEHDE9Z+VCYGRQIYznqrhi/ckjVt2x554PmNljcKibyRa6
GX3ygv74lO38Wwpsy0cGbtOTApn4UFVA52OS9v6QsMWXYcBIZrwb+X+yNxEvFK76
5/eDwwExtZv7HeWH/iGFvVZJm9qd0hYnGwfDPd6NI04nPkhfdkgiz2HzjCjQUwEg
cTgsAqseW61+Y1EnvOu7jhPAq/Ecuwfeoh8o9t3dsIFe4jrkQOeaBeKF9F928dfm
/Ao0/KhkXMtq/D5eKdriJTJhahfX2RXhZeyewuTKUHmKVI3k2mvQo2gD6WsDW6Yu
a0ES/FQNYkzRp+qnloXQ2WVgtQ0yqzDrbdFNi22d+MRnOOWUYk4sOhbJKfafjkjx
XhwZs5HYQuC5dViUWru+97YEK8+IREINLBavtcEDEDO5HnxJNaa5WcaaHsTxUpoM
LtLT6cuiM8GQHe1aTnEp9qee+UOi9xc3MG/iltHd6C5dK3as/Sq6rHyU9EGqrLn9
iFzYmNr7xG9qTkP5nQfOsOX7p7t+o7I5aOs95uJtz0ZZ0p6zNQb/pSLRWIyLPZJq
ZSsj7irRffOQ1VcTT8giE8Vy/ZsSDsNvfWeha5Cbfn06N1ZLvarAFMPg/CKEdfur
N+8H+LWlaBEz4yvjSqNWILXuDeiGOm9B8Zl24bqlNS6y5cQq5514iygRj4C1EcmI
teYPjJlKrWVeKjISKU76qrVOZLAVJC5V8CtkKjn7bEe+OwpKu8EAl6QIiGJ9CyxA
nJJHjzrRkzrWURIe+iAbWYo=
-----END ENCRYPTED PRIVATE KEY-----
";

pub(super) const RSA_PUBLIC: &str = "\
-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQD7e1lLb0X/4LjJ+TQDQMAuwBh5
iGquPwzYI+AITtME+X4xktyU4SCiGT4aeCGmxnGkqIxoXwfS/pdeaCIEuVtQOaAv
Fv1W9X2m/UBU3GW6myeE6D0LN28VptJ1YE6JV+sKTIbc2D4XL5TcyvH4OOeCXkuO
pag/oiuPrwzV2KQWOQIDAQAB
-----END PUBLIC KEY-----
";

pub(super) const RSA_PUBLIC_PKCS1: &str = "\
-----BEGIN RSA PUBLIC KEY-----
MIGJAoGBAPt7WUtvRf/guMn5NANAwC7AGHmIaq4/DNgj4AhO0wT5fjGS3JThIKIZ
Php4IabGcaSojGhfB9L+l15oIgS5W1A5oC8W/Vb1fab9QFTcZbqbJ4ToPQs3bxWm
0nVgTolX6wpMhtzYPhcvlNzK8fg454JeS46lqD+iK4+vDNXYpBY5AgMBAAE=
-----END RSA PUBLIC KEY-----
";

pub(super) const RSA_REQUEST: &str = "\
-----BEGIN CERTIFICATE REQUEST-----
MIIBUDCBugIBADARMQ8wDQYDVQQDDAZkZXZpY2UwgZ8wDQYJKoZIhvcNAQEBBQAD
gY0AMIGJAoGBAPt7WUtvRf/guMn5NANAwC7AGHmIaq4/DNgj4AhO0wT5fjGS3JTh
IKIZPhp4IabGcaSojGhfB9L+l15oIgS5W1A5oC8W/Vb1fab9QFTcZbqbJ4ToPQs3
bxWm0nVgTolX6wpMhtzYPhcvlNzK8fg454JeS46lqD+iK4+vDNXYpBY5AgMBAAGg
ADANBgkqhkiG9w0BAQsFAAOBgQBvgBb4vEgVBJBiYN++tpMXdYgtMQy7UARFdwQv
B3DYEvboT6lMWoqUokWqcWWZ9x1iw6TDqvq+XLXwf7RPh7ZIf47zVmDJhw4Szjns
pFEGp7FwuH8+kdvK1BmM/Nv0sHbwCP6H9zf7v5pU7Ae2yVPyKmZXbeKe/+XlUeTs
yaiA8g==
-----END CERTIFICATE REQUEST-----
";
