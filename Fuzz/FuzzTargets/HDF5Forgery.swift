import TensorCore
import TensorIO

/// Copies an HDF5 file with lies in it: members and attributes that are missing, or of another kind, type or shape, as a
/// list of choices says, one byte for each. Bytes below 200 are honest.
///
/// Lies in the bytes themselves end in the library, mostly; these end in the code behind it.
struct HDF5Forgery {
    private static let firstLie: UInt8 = 200
    private static let extents = [0, 1, 2, 3, 5, 16, 63, 628]
    private static let integers: [Int] = [0, -1, 1, .min, .max, 1 << 31, 1 << 53, 1 << 62]
    private static let reals: [Double] = [0, -1, .nan, .infinity, -.infinity, 1e300, 5e-324, 0x1p63]
    private static let texts = ["", "[]", "{}", "null", "\u{1B}[2J", "x", "9223372036854775808"]

    private let choices: [UInt8]
    private var place = 0

    init(_ choices: [UInt8]) { self.choices = choices }

    /// Writes what `source` holds to `path`, changed.
    static func write(_ source: String, to path: String, _ choices: [UInt8]) throws {
        var forgery = HDF5Forgery(choices)
        let honest = try HDF5File(reading: source).root
        try HDF5File.write(to: path) { try forgery.copy(honest, to: $0) }
    }

    private mutating func next() -> UInt8 {
        defer { place += 1 }
        return place < choices.count ? choices[place] : 0
    }

    private mutating func copy(_ source: HDF5Group, to target: HDF5Group) throws {
        for name in try source.attributeNames {
            let value = try source.attribute(name)
            let choice = next()
            try set(name, choice < Self.firstLie ? value : lie(choice), on: target)
        }
        for name in try source.members {
            let choice = next()
            switch try source.kind(of: name) {
            case _ where choice == .max: continue
            case _ where choice >= Self.firstLie: try putLie(choice, name, in: target)
            case .group: try copy(source.group(name), to: target.createGroup(name))
            case .tensor: try target.write(source.tensor(name), to: name)
            case .strings: try target.write(source.strings(name), to: name)
            case .other: continue
            }
        }
    }

    private mutating func lie(_ choice: UInt8) -> HDF5Attribute? {
        let second = Int(next())
        switch choice % 7 {
        case 0: return nil
        case 1: return .integer(Self.integers[second % Self.integers.count])
        case 2: return .real(Self.reals[second % Self.reals.count])
        case 3: return .string(Self.texts[second % Self.texts.count])
        case 4: return .integers(Array(Self.integers.prefix(second % 8)))
        case 5: return .reals(Array(Self.reals.prefix(second % 8)))
        default: return .strings(Array(Self.texts.prefix(second % 8)))
        }
    }

    private func set(_ name: String, _ value: HDF5Attribute?, on object: HDF5Object) throws {
        switch value {
        case nil: break
        case .string(let text): try object.setAttribute(name, text)
        case .strings(let texts): try object.setAttribute(name, texts)
        case .integer(let number): try object.setAttribute(name, number)
        case .integers(let numbers): try object.setAttribute(name, numbers)
        case .real(let number): try object.setAttribute(name, number)
        case .reals(let numbers): try object.setAttribute(name, numbers)
        }
    }

    private mutating func putLie(_ choice: UInt8, _ name: String, in group: HDF5Group) throws {
        let second = Int(next())
        switch choice % 3 {
        case 0: try group.write(Array(Self.texts.prefix(second % 8)), to: name)
        case 1: try group.createGroup(name)
        default:
            var extents = (0..<second % 4).map { _ in Self.extents[Int(next()) % Self.extents.count] }
            if extents.reduce(1, *) > 1 << 16 { extents = [628] }
            let shape = Shape(extents)
            let tensor = Tensor(zeros: shape, dtype: DType.allCases[second / 4 % DType.allCases.count])
            try group.write(tensor, to: name)
        }
    }
}
