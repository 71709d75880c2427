import CStorage
import TensorCore

/// How the elements of tensors lie in HDF5 files.
///
/// `bfloat16`, which HDF5 does not know, is stored as unsigned 16-bit numbers, and `bool` as unsigned bytes; an attribute
/// `dtype` says so. Booleans of h5py, enumerations of two values, are read as well.
enum HDF5ElementType {
    /// The attribute that tells `bfloat16` and `bool` from what they are stored as.
    static let attribute = "dtype"

    /// The type in files and in memory.
    static func identifier(of dtype: DType) -> hid_t {
        switch dtype {
        case .float32: storage_h5_type(STORAGE_H5_FLOAT32)
        case .float16: storage_h5_type(STORAGE_H5_FLOAT16)
        case .bfloat16: storage_h5_type(STORAGE_H5_UINT16)
        case .int32: storage_h5_type(STORAGE_H5_INT32)
        case .int64: storage_h5_type(STORAGE_H5_INT64)
        case .uint8, .bool: storage_h5_type(STORAGE_H5_UINT8)
        }
    }

    /// Whether a dataset of this type needs the attribute.
    static func isMarked(_ dtype: DType) -> Bool { dtype == .bfloat16 || dtype == .bool }

    /// The element type of a stored type, given its `dtype` attribute; nil for one that no tensor has.
    static func dtype(of type: hid_t, mark: String?) -> DType? {
        let size = H5Tget_size(type)
        switch H5Tget_class(type) {
        case H5T_FLOAT:
            if size == 4 { return .float32 }
            return isHalf(type) ? .float16 : nil
        case H5T_INTEGER:
            let isSigned = H5Tget_sign(type) == H5T_SGN_2
            switch (isSigned, size) {
            case (true, 4): return .int32
            case (true, 8): return .int64
            case (false, 1): return mark == DType.bool.rawValue ? .bool : .uint8
            case (false, 2): return mark == DType.bfloat16.rawValue ? .bfloat16 : nil
            default: return nil
            }
        case H5T_ENUM: return size == 1 && H5Tget_nmembers(type) == 2 ? .bool : nil
        default: return nil
        }
    }

    /// A few words for a stored type.
    static func name(of type: hid_t) -> String {
        let bits = H5Tget_size(type) * 8
        switch H5Tget_class(type) {
        case H5T_FLOAT: return "float\(bits)"
        case H5T_INTEGER: return (H5Tget_sign(type) == H5T_SGN_NONE ? "uint" : "int") + "\(bits)"
        case H5T_STRING: return "strings"
        case H5T_ENUM: return "an enumeration"
        case H5T_COMPOUND: return "a compound type"
        case H5T_OPAQUE: return "an opaque type"
        case H5T_REFERENCE: return "references"
        case H5T_ARRAY: return "arrays"
        case H5T_VLEN: return "sequences"
        default: return "another type"
        }
    }

    /// IEEE half precision in either byte order, and no other format of sixteen bits.
    private static func isHalf(_ type: hid_t) -> Bool {
        guard H5Tget_size(type) == 2 else { return false }
        var (sign, exponent, exponentSize, fraction, fractionSize) = (0, 0, 0, 0, 0)
        guard H5Tget_fields(type, &sign, &exponent, &exponentSize, &fraction, &fractionSize) >= 0 else { return false }
        return exponentSize == 5 && fractionSize == 10 && H5Tget_ebias(type) == 15
    }
}
