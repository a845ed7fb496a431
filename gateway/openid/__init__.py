"""The identity provider that vouches for people: the relying party's side of OpenID Connect Core 1.0."""
