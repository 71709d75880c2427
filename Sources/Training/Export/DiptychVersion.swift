/// The version of the toolkit.
public enum DiptychVersion {
    /// What files that it writes and `diptych --version` say.
    public static let current = "0.1.0"
}
