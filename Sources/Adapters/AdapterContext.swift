/// What all adapters of one set share while the model runs.
final class AdapterContext {
    /// The factor on everything the adapters add.
    var strength: Float = 1
}
