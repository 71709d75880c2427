/// How a model spends memory to save time. Results never depend on it.
///
/// A model is given its policy before its first pass; two models of one process may have different ones. Whoever plans a run
/// chooses it from a budget (`MemoryPlan.choose`).
public struct MemoryPolicy: Sendable, Hashable {
    /// Whether pages of mapped weights are given back once they have been used, and read again when they are needed again.
    public var releasesWeights: Bool
    /// Whether frozen weights are also kept in the layout that a backend reads fastest.
    public var keepsPackedWeights: Bool

    /// Collects both; the default spends memory.
    public init(releasesWeights: Bool = false, keepsPackedWeights: Bool = true) {
        self.releasesWeights = releasesWeights
        self.keepsPackedWeights = keepsPackedWeights
    }
}
