/// What all adapters of one set share while the model runs.
public final class AdapterContext {
    /// The factor on everything the adapters add: 1 as trained, 0 for exactly the base.
    public internal(set) var strength: Float = 1

    init() {}
}
